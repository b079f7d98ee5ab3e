"""Optimisation sets of WarpTools and RELION 4 or 5: particles, tomograms, and 2-D stacks."""
