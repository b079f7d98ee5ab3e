"""Files that ship with the package: a small simulated sample, see core.simulation.example."""
