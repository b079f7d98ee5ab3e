"""Objective, batches, optimization and checkpoints."""
