"""How much memory a command will need, term by term, before it takes any of it."""
