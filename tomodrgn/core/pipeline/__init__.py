"""Analyses of latents, volumes decoded from a run, and the reports and pictures beside results.

Other commands lie in rooms of their own, in plugins, and draw on these.
"""
