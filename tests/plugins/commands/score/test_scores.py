from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.simulation.experiment import JUNK
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.truth import Truth
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.score.best_classifier import most_likely_classes
from tomodrgn.plugins.commands.score.scores import Findings, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Alter = Callable[..., SimulationSpec]

BEST_AREA = 0.5  # under a correlation of 1 from 0 to 0.5 cycles per pixel


def _known(spec: SimulationSpec) -> tuple[Truth, Simulation]:
    """What is simulated, without writing it."""
    simulation = design(spec, build_structure(spec))
    experiment = simulation.experiment
    maps = simulation.true_maps()
    truth = Truth(spec=spec, labels=experiment.labels, motion=experiment.motion, maps=maps)
    return truth, simulation


def _perfect(truth: Truth, simulation: Simulation) -> Findings:
    """Latents that say class and motion, a decoder that makes the true volumes of them."""
    one_hot = np.eye(truth.spec.class_count)[truth.labels.clip(0)] * 100
    mean = np.column_stack([one_hot, truth.motion]).astype(np.float32)

    def decode(latents: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        for latent in latents:
            yield simulation.true_volumes(np.flatnonzero((mean == latent).all(1))[:1])[0]

    return Findings(
        rows=np.arange(len(mean)),
        mean=mean,
        decode=decode,
        volumes={f"vol_{i:03d}.mrc": volume for i, volume in enumerate(truth.maps)},
        pixel_size_a=12.0,
    )


def test_the_truth_itself_scores_perfectly(altered: Alter) -> None:
    truth, simulation = _known(altered(n_particles=30, motion="hinge_twist"))
    found = compare(truth, simulation, _perfect(truth, simulation), n_decoded=6)
    scores = found.scores
    for name in ("hinge_deg", "twist_deg"):
        assert scores.pop(f"rank correlation of {name}, best axis") == 1
        assert scores.pop(f"rank correlation of {name}, linear readout") > 0.98
    assert scores.pop("per-image AUC-FSC, mean") == BEST_AREA
    assert scores.pop("per-image AUC-FSC, standard deviation") == 0
    assert 0.2 < scores.pop("per-image AUC-FSC, one true map for all") < 0.49
    assert set(scores.values()) == {1.0}
    assert len(scores) == 7  # four of classes, three maps
    assert found.class_latents is not None
    np.testing.assert_allclose(found.class_latents[:, :3], 100 * np.eye(3), atol=1e-4)


def test_the_order_of_particles_changes_no_score(altered: Alter) -> None:
    truth, simulation = _known(altered(n_particles=30, motion="hinge", junk_fraction=0.1))
    findings = _perfect(truth, simulation)
    assert findings.mean is not None
    rng = np.random.default_rng(3)
    findings = replace(findings, mean=findings.mean + rng.normal(0, 30, findings.mean.shape))
    findings = replace(findings, decode=None)
    order = rng.permutation(30)
    shuffled = replace(findings, rows=order, mean=findings.mean[order])
    plain, other = (
        compare(truth, simulation, each, n_decoded=0).scores for each in (findings, shuffled)
    )
    del plain["rank correlation of hinge_deg, linear readout"]  # its folds follow the order
    assert {name: other[name] for name in plain} == pytest.approx(plain)


def test_labels_may_be_called_anything(altered: Alter) -> None:
    truth, simulation = _known(altered())
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(12) < 0.3, 0, truth.labels)
    findings = Findings(rows=np.arange(12), labels=labels)
    renamed = replace(findings, labels=np.array([7, 2, 5])[labels])
    scores = [compare(truth, simulation, f, n_decoded=0).scores for f in (findings, renamed)]
    assert scores[0] == scores[1]
    assert scores[0]["class accuracy"] < 1


def test_some_of_the_particles_are_scored_as_those_they_are(altered: Alter) -> None:
    truth, simulation = _known(altered(n_particles=30))
    everyone = _perfect(truth, simulation)
    assert everyone.mean is not None
    rows = np.array([28, 3, 4, 20, 1, 9, 11, 12, 17])
    some = replace(everyone, rows=rows, mean=everyone.mean[rows])
    found = compare(truth, simulation, some, n_decoded=5)
    assert found.scores["class accuracy"] == 1
    assert found.scores["per-image AUC-FSC, mean"] == BEST_AREA
    np.testing.assert_array_equal(found.truth.labels, truth.labels[rows])


def test_junk_is_left_out_of_class_scores_and_reported(altered: Alter) -> None:
    truth, simulation = _known(altered(n_particles=40, junk_fraction=0.2))
    findings = _perfect(truth, simulation)
    assert findings.mean is not None
    findings.mean[truth.labels == JUNK] = [500, -500, 900]
    scores = compare(truth, simulation, findings, n_decoded=5).scores
    assert scores["class accuracy"] == 1
    assert scores["junk outside the latent cloud (AUC)"] == 1


def test_a_downsampled_run_is_compared_in_its_own_box(altered: Alter) -> None:
    truth, simulation = _known(altered(n_classes=1))

    def decode(latents: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        spec = truth.spec.model_copy(update={"box_size_px": 8, "pixel_size_a": 24.0})
        small = build_structure(spec.model_copy(update={"diameter_a": 0.7 * 16 * 12.0}))
        yield from np.repeat(small.volumes().numpy(), len(latents), 0)

    mean = np.zeros((12, 1), np.float32)
    findings = Findings(rows=np.arange(12), mean=mean, decode=decode)
    scores = compare(truth, simulation, findings, n_decoded=3).scores
    # its last shell is cut differently by cropping and by the closed form
    assert scores["per-image AUC-FSC, mean"] > 0.95 * BEST_AREA


@cache
def _linear(n_particles: int) -> tuple[Truth, Simulation]:
    spec = SimulationSpec(
        outdir=Path("nowhere"),
        n_particles=n_particles,
        n_classes=1,
        box_size_px=16,
        pixel_size_a=12.0,
        n_tilts=2,
        n_tomograms=1,
        motion="linear",
    )
    return _known(spec)


def _posteriors(width: float) -> Findings:
    """Exact posteriors of standard normal coordinates, but for a factor of their covariance."""
    truth, simulation = _linear(400)
    noise = np.array([[0.3, 0.1], [0.1, 0.5]])
    rng = np.random.default_rng(5)
    seen = truth.motion + rng.multivariate_normal(np.zeros(2), noise, 400)
    gain = np.linalg.inv(np.eye(2) + noise)
    covariance = (np.eye(2) - gain) * width
    corners = np.array([[0, 0], [1, 0], [0, 1]])
    maps = simulation.structure.states(*_as_tensors(corners)).numpy() * simulation.scale
    basis = maps[1:] - maps[0]

    def decode(latents: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        yield from (maps[0] + np.tensordot(latents, basis, 1)).astype(np.float32)

    return Findings(
        rows=np.arange(400),
        mean=(seen @ gain.T).astype(np.float32),
        covariance=np.repeat(covariance[None], 400, 0).astype(np.float32),
        decode=decode,
    )


def _as_tensors(coordinates: NDArray[np.int64]):
    import torch

    return torch.zeros(len(coordinates), dtype=torch.int64), torch.from_numpy(
        coordinates.astype(np.float64)
    )


def test_exact_posteriors_cover_the_truth_as_often_as_they_say() -> None:
    scores = compare(*_linear(400), _posteriors(1.0), n_decoded=2).scores
    for level in (0.5, 0.9, 0.95):
        error = 3 * np.sqrt(level * (1 - level) / 400)  # three binomial standard errors
        assert scores[f"true coordinates in {level:.0%} regions"] == pytest.approx(level, abs=error)


@pytest.mark.parametrize(("width", "low", "high"), [(0.3, 0, 0.7), (3.0, 0.98, 1)])
def test_posteriors_of_wrong_width_are_told(width: float, low: float, high: float) -> None:
    scores = compare(*_linear(400), _posteriors(width), n_decoded=2).scores
    assert low <= scores["true coordinates in 90% regions"] <= high


def test_posteriors_of_a_run_that_fitted_contrast_have_a_scale_of_their_own() -> None:
    findings = _posteriors(1.0)
    decode = findings.decode
    assert decode is not None
    stronger = replace(findings, decode=lambda z: (1.4 * volume for volume in decode(z)))
    unturned = np.tile(np.eye(3), (400, 1, 1))
    as_it_is, own = (
        compare(*_linear(400), replace(stronger, turn=turn), n_decoded=2).scores
        for turn in (None, unturned)
    )
    assert as_it_is["true coordinates in 90% regions"] < 0.75
    assert own["true coordinates in 90% regions"] == pytest.approx(0.9, abs=0.05)


def test_posteriors_of_a_decoder_that_bends_are_not_judged(altered: Alter) -> None:
    truth, simulation = _linear(400)
    findings = _posteriors(1.0)
    assert findings.decode is not None
    straight = findings.decode

    def bent(latents: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        yield from straight(latents + 0.2 * latents**2)

    scores = compare(truth, simulation, replace(findings, decode=bent), n_decoded=2).scores
    assert not any(name.startswith("true coordinates") for name in scores)


def test_the_best_classifier_errs_only_in_noise(altered: Alter) -> None:
    accuracies = []
    for snr in (2.0, 0.001):
        spec = altered(n_particles=40, snr=snr)
        simulation = design(spec, build_structure(spec))
        found = most_likely_classes(simulation, spec.n_particles)
        accuracies.append((found == simulation.experiment.labels).mean())
    assert accuracies[0] == 1
    assert accuracies[1] < 0.9
