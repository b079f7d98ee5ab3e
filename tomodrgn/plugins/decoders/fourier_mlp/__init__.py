"""The coordinate network in Fourier space, and what makes it fast on processors and GPUs."""
