"""Audiences: who is in which, why, and what changed since the run before."""
