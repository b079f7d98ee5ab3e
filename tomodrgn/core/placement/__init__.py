"""What ChimeraX needs of particles put back where they were: colors, levels, instances."""
