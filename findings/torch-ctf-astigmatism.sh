#!/usr/bin/env bash
# torch-ctf: the astigmatism is half of DefocusU - DefocusV.
#
# torch-ctf 0.6.0, torch 2.13.0.
#
# calculate_ctf_2d takes a defocus and an astigmatism in micrometers. A good guess is (U + V) / 2 and U - V: what
# microscopists call the astigmatism of a fit. The defocus runs from
# defocus - astigmatism to defocus + astigmatism instead, so that a value of U - V doubles it. The angle is
# that of the larger defocus, from x towards y, as rlnDefocusAngle.
#
# Seen, defocus 2.0, astigmatism 0.5, angle 0: the CTF along x is that of 2.50 um, along y that of 1.50 um.
# What to do: astigmatism = (rlnDefocusU - rlnDefocusV) / 2e4.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torch-ctf==0.6.0
cd "$work"
venv/bin/python - <<'PY'
import torch
from torch_ctf import calculate_ctf_2d


def ctf(defocus_um, astigmatism_um, angle_deg):
    return calculate_ctf_2d(
        defocus=defocus_um, astigmatism=astigmatism_um, astigmatism_angle=angle_deg, voltage=300.0,
        spherical_aberration=2.7, amplitude_contrast=0.1, phase_shift=0.0, pixel_size=2.0,
        image_shape=(256, 256), rfft=False, fftshift=True,
    )


def nearest(profile):
    """Defocus in um of the CTF without astigmatism that is most like a profile."""
    steps = [round(0.01 * n, 2) for n in range(100, 301)]
    away = [((ctf(d, 0.0, 0.0)[128, 128:200] - profile) ** 2).sum() for d in steps]
    return steps[int(torch.stack(away).argmin())]


image = ctf(2.0, 0.5, 0.0)
along_x, along_y = nearest(image[128, 128:200]), nearest(image[128:200, 128])
print("astigmatism 0.5 um about 2.0 um: along x", along_x, "along y", along_y)
assert (along_x, along_y) == (2.5, 1.5)
image = ctf(2.0, 0.5, 90.0)
along_x, along_y = nearest(image[128, 128:200]), nearest(image[128:200, 128])
print("turned by 90 degrees: along x", along_x, "along y", along_y)
assert (along_x, along_y) == (1.5, 2.5)
PY
echo "as stated: defocus +- astigmatism, which is half of U - V"
