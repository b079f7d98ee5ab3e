"""One thin module per command: parse, one call into the pipeline, print."""
