"""What results mean: numbers behind pictures, and pictures that several commands draw."""
