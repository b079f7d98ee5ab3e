"""What results mean: numbers behind pictures, and the pictures; only here is matplotlib used."""
