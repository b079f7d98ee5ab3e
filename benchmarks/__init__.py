"""Measurements of speed and memory, each with the machine it was made on.

``python -m benchmarks NAME [--json FILE] [options]`` prints a table. A benchmark is a module of
this package with ``main(arguments)``; :mod:`benchmarks.report` shows and saves what it found.
"""
