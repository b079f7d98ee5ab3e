"""What ChimeraX needs of particles put back where they were: colours, levels, instances."""
