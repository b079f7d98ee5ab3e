"""Objective, batches, optimisation and checkpoints."""
