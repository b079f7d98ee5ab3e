"""Volumes decoded from trained models and written to files."""
