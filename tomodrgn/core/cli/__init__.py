"""One thin module per command: parse, one call into ``core.pipeline``, print."""
