"""Image series: a STAR file with one row per tilt image, of Warp 1, M, cryoSRPNT and nextPYP."""
