"""Poses, contrast and tilt geometry refined against maps of the particles themselves."""
