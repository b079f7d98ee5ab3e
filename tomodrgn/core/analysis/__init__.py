"""What results mean: the numbers behind pictures."""
