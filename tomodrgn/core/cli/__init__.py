"""The command line: options become specs, results become words; commands come from plugins."""
