"""Scores are sums over images, and the noise of many images is a mean of that of each part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.plugins.commands.validate.test_separation import _validate, simulated  # noqa: F401
from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.registry import Registry
from tomodrgn.plugins.commands.validate import class_scores, separation


def test_scores_of_parts_add_and_their_noise_encloses_that_of_all(
    simulated: Path,  # noqa: F811
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def remember(*arguments: Any, **named: Any) -> Any:
        calls.append((arguments, named))
        return class_scores.score_images(*arguments, **named)

    monkeypatch.setattr(separation, "score_images", remember)
    _validate(simulated, tmp_path, registry, 1.0)
    [((reader, particles, images), named)] = calls
    halves = named["halves"][images]
    whole, *parts = (
        class_scores.score_images(reader, particles, chosen, **named)
        for chosen in (images, images[halves == 0], images[halves == 1])
    )
    np.testing.assert_allclose(whole.by_shell, sum(part.by_shell for part in parts), rtol=1e-9)
    noises = np.array([part.noise for part in parts])
    assert (whole.noise >= noises.min(0)).all()
    assert (whole.noise <= noises.max(0)).all()
    # two thirds of these images are white noise, of which the common map takes nothing away
    pixels = torch.from_numpy(reader.load_images(particles.source_image[images]))
    disc = half_plane_disc(particles.box_size_px)
    power = images_to_disc(pixels * named["window"], disc).square().sum(-1).mean()
    assert (whole.noise < float(power)).all()
    assert (whole.noise > 0.3 * float(power)).all()
    in_turn = (whole.by_shell / whole.noise).sum(2)
    np.testing.assert_allclose(whole.total, in_turn)


def test_blocks_of_images_give_what_all_at_once_give(
    simulated: Path,  # noqa: F811
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []

    def in_blocks(*arguments: Any, **named: Any) -> Any:
        found.append(class_scores.score_images(*arguments, **named))
        monkeypatch.setattr(class_scores, "_VALUES_AT_ONCE", 1000)
        found.append(class_scores.score_images(*arguments, **named))
        return found[0]

    monkeypatch.setattr(separation, "score_images", in_blocks)
    _validate(simulated, tmp_path, registry, 1.0)
    np.testing.assert_allclose(found[1].by_shell, found[0].by_shell, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[1].noise, found[0].noise, rtol=1e-5)
