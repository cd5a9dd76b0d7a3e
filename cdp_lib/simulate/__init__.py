"""Seeded practice data: landing files as several messy systems would drop them, and the truth of who is who."""
