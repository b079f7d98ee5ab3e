"""Particles put back where they were: transforms, colours and contour levels, as ChimeraX reads."""
