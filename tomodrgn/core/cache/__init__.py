"""Prepared tilt images: built once, held on the device, in memory, or streamed from the file."""
