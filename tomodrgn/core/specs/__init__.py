"""Torch-free descriptions of a run: what it reads, builds, computes and writes."""
