#!/usr/bin/env bash
# torch-fourier-filter: dose_weight_2d does nothing to a single image.
#
# torch-fourier-filter 0.6.0, torch 2.13.0.
#
# A good guess is that dose_weight_2d(image, dose=90) multiplies the image of a tilt by exp(-N / 2 Nc), the
# weight of Grant & Grigorieff, as the name and the single dose say. The weights are divided by the root of
# the sum of their squares over the images of the *same call* (right for frames that are summed): one tilt
# image at a time stays as it is whatever its dose, and the weight of a tilt depends on which others are given
# with it. A second guess that fails: crit_exposure_bfactor=B damps by exp(-B N k^2 / 8), where the B-factor of
# RELION and Warp (4 per e/A^2) means exp(-B N k^2 / 4).
#
# Seen: 90 e/A^2 on one image: factor 1.0000 at every frequency; doses 3, 30, 90 together: the squares of the
# factors add up to 1 at every frequency; with B = 4, the ratio of two images 10 e/A^2 apart is exp(-4 * 10 k^2 / 8).
# What to do: compute exp(-N / 2 Nc) with its critical_exposure; give B twice as large.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torch-fourier-filter==0.6.0
cd "$work"
venv/bin/python - <<'PY'
import torch
from torch_fourier_filter.dose_weight import critical_exposure, dose_weight_2d

n, pixel_size_a = 128, 2.0
torch.manual_seed(0)
images = torch.fft.rfft2(torch.randn(3, n, n))
k = torch.fft.rfftfreq(n, pixel_size_a)[5:60:10]


def factors(images, doses, **options):
    weighted = dose_weight_2d(images, (n, n), pixel_size_a, dose=torch.tensor(doses), **options)
    return (weighted / images).abs()[..., 0, 5:60:10]


print("frequencies in 1/A", k.numpy().round(3))
print("exp(-N / 2 Nc) of 90 e/A^2", torch.exp(-90 / 2 / critical_exposure(k)).numpy().round(4))
alone = factors(images[:1], [90.0])
print("one image", alone.numpy().round(4))
torch.testing.assert_close(alone, torch.ones_like(alone))
together = factors(images, [3.0, 30.0, 90.0])
print("three images", together.numpy().round(4))
torch.testing.assert_close((together**2).sum(dim=0), torch.ones(len(k)), rtol=1e-4, atol=1e-4)
pair = factors(images[:2], [0.0, 10.0], crit_exposure_bfactor=4)
print("B = 4, 10 e/A^2 more", (pair[1] / pair[0]).numpy().round(4))
torch.testing.assert_close(pair[1] / pair[0], torch.exp(-4 * 10 * k**2 / 8), rtol=1e-3, atol=1e-3)
PY
echo "as stated: weights are relative to the images of one call; B counts half"
