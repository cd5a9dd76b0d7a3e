"""Journeys: who enters, where everybody stands after each day, and which messages that asks for."""
