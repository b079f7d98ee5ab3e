"""Particles and exposures that look like nothing that the maps show, and how sure that is."""
