"""Volume series: a STAR file with one row per particle, of Warp 1 and M, and no tilt images."""
