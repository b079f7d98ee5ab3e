"""Maps from images whose poses are known: insertion, Wiener division, half sets and resolution.

In memory, such as for repeated trials on a sample of images::

    sums = reconstruct(coefficients, images, optics, disc, volume_index=half - 1, n_volumes=2)
    first, second = finish(sums)
    curve = fsc(first, second)

with coefficients (M, P) complex that are centred already (``images.shift_px`` is not used),
and the box and pixel size of the volumes those of ``disc`` and ``optics``. For a coarser trial
take the prefix of a smaller disc, ``coefficients[:, : len(small)]``, and groups of optics with the
larger pixel.
"""
