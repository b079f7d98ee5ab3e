"""Tilt series with known answers, and scores of results against them."""
