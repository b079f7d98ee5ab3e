"""Commands that are killed, or whose disk fails, at every step: nothing is lost."""
