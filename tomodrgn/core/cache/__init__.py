"""Prepared Fourier coefficients on disk, and their way to the device."""
