"""The single view: what people did, gathered into traits, joined with who they are, and handed out as files."""
