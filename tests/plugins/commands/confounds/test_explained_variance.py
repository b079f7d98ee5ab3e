"""What explains a latent: injected influences are found, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from tomodrgn.plugins.commands.confounds import explained_variance
from tomodrgn.plugins.commands.confounds.explained_variance import nuisance_report
from tomodrgn.plugins.commands.confounds.figures import draw_nuisance
from tomodrgn.plugins.commands.confounds.page import nuisance_page

N = 200


def _covariates(generator: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    beam = generator.standard_normal((N, 3))
    tomogram = generator.integers(0, 6, N)
    return {
        "tomogram": np.array([f"TS_{i}" for i in tomogram]),
        "defocus": np.array([2.1, 2.9, 3.3, 2.5, 3.8, 3.0])[tomogram] + 0.02 * beam[:, 0],
        "tilt images": generator.integers(30, 42, N).astype(float),
        "viewing direction": beam / np.linalg.norm(beam, axis=1, keepdims=True),
        "contrast": generator.lognormal(size=N),
        "dose": np.full(N, 60.0),
    }


def test_alarms_are_rare_over_all_covariates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explained_variance, "N_SHUFFLES", 99)
    generator = np.random.default_rng(0)
    alarms = 0
    for seed in range(40):
        latents = generator.standard_normal((N, 4)) * [4, 2, 1, 0.1]
        latents[: N // 3, 0] += 10  # true states
        report = nuisance_report(latents.astype(np.float32), _covariates(generator), seed=seed)
        assert report is not None
        alarms += bool(report.worrying)
    assert alarms <= 5  # at most 1 in 20 expected


def test_defocus_that_leaks_into_a_direction_is_named() -> None:
    generator = np.random.default_rng(1)
    covariates = _covariates(generator)
    latents = generator.standard_normal((N, 4)) * [4, 2, 1, 0.5]
    defocus = covariates["defocus"]
    latents[:, 1] += 3 * (defocus - defocus.mean()) / defocus.std()
    report = nuisance_report(latents.astype(np.float32), covariates)
    assert report is not None
    assert {each.name for each in report.worrying} == {"tomogram", "defocus"}  # one per tomogram
    assert report.constant == ("dose",)
    found = {each.name: each for each in report.influences}
    assert 0.4 < found["defocus"].explained.max() < 0.95
    assert "**defocus** strongly explains the latent" in nuisance_page(report)


def test_bent_influence_and_view_are_found() -> None:
    generator = np.random.default_rng(2)
    covariates = _covariates(generator)
    contrast, beam = np.log(covariates["contrast"]), covariates["viewing direction"]
    latents = generator.standard_normal((N, 2))
    latents[:, 0] += 3 * np.abs(contrast)  # no correlation with it
    latents[:, 1] += 6 * beam[:, 2] ** 2  # the same from both sides
    report = nuisance_report(latents.astype(np.float32), covariates)
    assert report is not None
    assert {each.name for each in report.worrying} == {"contrast", "viewing direction"}


def test_a_weak_direction_counts_as_much_as_a_strong_one() -> None:
    generator = np.random.default_rng(3)
    covariates = _covariates(generator)
    latents = generator.standard_normal((N, 2)) * [100, 1]
    latents[:, 1] += covariates["tilt images"]
    report = nuisance_report(latents.astype(np.float32), covariates)
    assert report is not None
    (found,) = report.worrying
    assert (found.name, found.strongest) == ("tilt images", 1)
    assert found.total < 0.01


def test_unknown_values_are_left_out() -> None:
    generator = np.random.default_rng(4)
    covariates = _covariates(generator)
    latents = covariates["contrast"][:, None] + 0.1 * generator.standard_normal((N, 1))
    covariates["contrast"][::3] = np.nan
    report = nuisance_report(latents.astype(np.float32), covariates)
    assert report is not None
    assert [each.name for each in report.worrying] == ["contrast"]


def test_few_particles_are_not_judged() -> None:
    assert nuisance_report(np.zeros((19, 2), np.float32), {"dose": np.arange(19.0)}) is None


def test_many_particles_are_sampled() -> None:
    generator = np.random.default_rng(5)
    latents = generator.standard_normal((200_000, 2), dtype=np.float32)
    latents[:, 0] *= 4
    report = nuisance_report(latents, {"defocus": latents[:, 0].astype(float)})
    assert report is not None
    assert report.n_particles == explained_variance.MAX_PARTICLES
    assert report.influences[0].explained.max() > 0.95


@pytest.mark.usefixtures("rendered")
def test_picture_and_page_show_every_covariate(tmp_path: Path) -> None:
    generator = np.random.default_rng(6)
    covariates = _covariates(generator)
    report = nuisance_report(generator.standard_normal((N, 3)).astype(np.float32), covariates)
    assert report is not None
    draw_nuisance(tmp_path / "nuisance.png", report)
    assert np.ptp(imread(tmp_path / "nuisance.png")[..., :3]) > 0.5
    page = nuisance_page(report)
    assert "Nothing stands out" in page
    assert all(name in page for name in covariates)


def test_what_does_not_vary_within_tomograms_is_not_told_from_them() -> None:
    generator = np.random.default_rng(4)
    covariates = _covariates(generator)
    latents = generator.standard_normal((N, 2))
    for name in ("defocus", "tilt images"):
        latents[:, 0] += 2 * (covariates[name] - covariates[name].mean()) / covariates[name].std()
    report = nuisance_report(latents.astype(np.float32), covariates)
    assert report is not None
    assert {each.name for each in report.worrying} >= {"tomogram", "defocus", "tilt images"}
    assert report.of_tomograms == ("defocus",)
    assert "Hardly different within a tomogram: defocus. " in nuisance_page(report)
