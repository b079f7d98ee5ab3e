from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.analysis.masks import MaskRule, sphere
from tomodrgn.plugins.commands.convergence.agreement import (
    correlation_matrix,
    crossing,
    curve_numbers,
    masked_correlation,
    masked_fsc,
    shell_freqs,
)

BOX = 12


@pytest.fixture
def volumes() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, BOX, BOX, BOX))


def test_a_volume_agrees_with_itself_and_with_nothing_changed(volumes: np.ndarray) -> None:
    first = volumes[0]
    np.testing.assert_allclose(masked_fsc(first, 3 * first, MaskRule(kind="sphere")), 1)
    assert masked_correlation(first, 2 * first + 0, sphere(BOX)) == pytest.approx(1)


def test_the_fsc_is_the_sum_over_voxels_of_each_shell(volumes: np.ndarray) -> None:
    first, second, _ = volumes
    mask = sphere(BOX)
    axis = range(-BOX // 2, BOX // 2)
    spectra = [np.fft.fftshift(np.fft.fftn(each * mask)) for each in (first, second)]
    cross, one, other = np.zeros(BOX // 2 + 1), np.zeros(BOX // 2 + 1), np.zeros(BOX // 2 + 1)
    for i, z in enumerate(axis):
        for j, y in enumerate(axis):
            for k, x in enumerate(axis):
                shell = int(np.ceil(np.sqrt(x * x + y * y + z * z) - 1e-9))
                if shell <= BOX // 2:
                    a, b = (each[i, j, k] for each in spectra)
                    cross[shell] += (a * b.conjugate()).real
                    one[shell] += abs(a) ** 2
                    other[shell] += abs(b) ** 2
    found = masked_fsc(first, second, MaskRule(kind="sphere"))
    np.testing.assert_allclose(found, cross / np.sqrt(one * other), atol=1e-10)


def test_the_correlation_is_that_of_pearson_over_all_masked_voxels(volumes: np.ndarray) -> None:
    first, second, mask = volumes[0], volumes[1] + volumes[0], np.abs(volumes[2])
    expected = np.corrcoef((first * mask).ravel(), (second * mask).ravel())[0, 1]
    assert masked_correlation(first, second, mask) == pytest.approx(expected)
    matrix = correlation_matrix([first, second], [second], MaskRule(kind="none"))
    assert matrix.shape == (2, 1)
    assert matrix[1, 0] == pytest.approx(1)


def test_flat_volumes_correlate_with_nothing() -> None:
    flat = np.ones((4, 4, 4))
    assert masked_correlation(flat, flat, flat) == 0


def test_a_curve_is_cut_at_the_first_shell_below_the_threshold() -> None:
    freqs = shell_freqs(10)
    curve = np.array([1, 1, 0.8, 0.4, 0.1, 0.3])
    assert crossing(freqs, curve, 0.5) == pytest.approx(0.3)
    assert crossing(freqs, curve, 0.143) == pytest.approx(0.4)
    assert crossing(freqs, np.ones(6), 0.5) == pytest.approx(0.5)
    numbers = curve_numbers(freqs, curve)
    assert numbers.at_model_threshold == pytest.approx(0.3)
    assert numbers.integral == pytest.approx(0.1 * (1 + 0.9 + 0.6 + 0.25))
