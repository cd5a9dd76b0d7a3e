"""Measurements beside peers, each in one run on the same files."""
