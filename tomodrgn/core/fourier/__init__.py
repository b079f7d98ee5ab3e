"""Centered transforms, half-plane discs of coefficients, shells and the FSC."""
