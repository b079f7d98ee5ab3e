"""What plugins build on: data, physics, specs, hooks, the engine and the command line."""
