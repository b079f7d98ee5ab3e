"""Particles and their tilt images as tables: identity, selection, splits and keyed randomness."""
