"""Packs in, single view out."""

__version__ = "0.1.0"
