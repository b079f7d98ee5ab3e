"""Whose files are whose: one writer of a place, and what this program may replace or remove."""
