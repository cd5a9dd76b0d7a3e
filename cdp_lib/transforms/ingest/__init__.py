"""From raw rows to accepted, quarantined and duplicate ones."""
