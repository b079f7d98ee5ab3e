"""How programs upstream write what more than one reader reads: columns, units, optics, stacks."""
