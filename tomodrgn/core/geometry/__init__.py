"""Rotations and the frequencies that images sample."""
