"""The linear companion of the network: probabilistic PCA on tilt series, in closed form.

``volume = mean map + sum_k z_k basis map k``, z standard normal, and a normal posterior of z for
every particle. :func:`~tomodrgn.core.linear.fit.fit_linear` does it.
"""
