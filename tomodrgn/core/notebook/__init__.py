"""What notebooks call: an analysis as a table, selections, views, and saved selections."""
