from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from tomodrgn.core.inspection.alternatives import ASSUMPTIONS, Alternative, alternatives
from tomodrgn.core.inspection.sample import Sample

ALL = {alternative.name: alternative for alternative in alternatives()}
INVOLUTIONS = (
    "images are in reverse order",
    "neighboring particles are exchanged",
    "whole stacks are in reverse order",
    "images are transposed",
    "images are mirrored along x",
    "images are mirrored along y",
    "rotations are inverted",
    "rotations of images are inverted",
    "tilt angles have the opposite sign",
    "shifts have the opposite sign",
    "x shifts have the opposite sign",
    "y shifts have the opposite sign",
    "defocus has the opposite sign",
    "doses are in reverse order",
)
PAIRS = (
    ("each row shows the next image", "each row shows the previous image"),
    ("shifts are in Å and are read as px", "shifts are in px and are read as Å"),
    ("pixel size is 0.5 times as large", "pixel size is 2 times as large"),
    ("images are not dose-weighted", "images are dose-weighted"),
    ("images are phase-flipped", "images are CTF-premultiplied"),
)


def applied(name: str, sample: Sample) -> Sample:
    changed = ALL[name].change(sample)
    assert changed is not None
    return changed


def columns(sample: Sample) -> dict[str, torch.Tensor]:
    images = sample.images
    found = {"coefficients": sample.coefficients, "rotation": images.rotation,
             "shift": images.shift_px, "dose": images.dose_e_per_a2}  # fmt: skip
    assert images.ctf is not None
    found |= {f.name: getattr(images.ctf, f.name) for f in fields(images.ctf)}
    return found


def assert_same(one: Sample, other: Sample) -> None:
    for name, column in columns(one).items():
        assert torch.allclose(column, columns(other)[name], rtol=1e-4, atol=1e-4), name
    assert one.optics[0].state == other.optics[0].state
    assert one.pixel_size_a == pytest.approx(other.pixel_size_a)


@pytest.mark.parametrize("name", INVOLUTIONS)
def test_twice_the_opposite_is_what_was_given(name: str, sample: Sample) -> None:
    if name == "rotations are inverted":
        assert sample.stage is not None
        once = applied(name, sample)
        stage = sample.stage.double()
        assert torch.allclose(
            stage.mT @ once.images.rotation.double(),
            (stage.mT @ sample.images.rotation.double()).mT,
            atol=1e-5,
        )
    else:
        assert_same(sample, applied(name, applied(name, sample)))


@pytest.mark.parametrize(("there", "back"), PAIRS)
def test_one_alternative_undoes_another(there: str, back: str, sample: Sample) -> None:
    given = sample
    if there == "images are phase-flipped":
        assert given.optics[0].state.ctf_premultiplied
    assert_same(given, applied(back, applied(there, given)))


@pytest.mark.parametrize("alternative", ALL.values(), ids=lambda a: a.name)
def test_a_sample_is_not_changed_in_place(alternative: Alternative, sample: Sample) -> None:
    before = {name: column.clone() for name, column in columns(sample).items()}
    alternative.change(sample)
    assert all(torch.equal(before[name], column) for name, column in columns(sample).items())


def test_what_cannot_be_seen_is_not_tried(sample: Sample) -> None:
    centred = sample.with_images(shift_px=torch.zeros_like(sample.images.shift_px))
    assert ALL["shifts have the opposite sign"].change(centred) is None
    assert ALL["defocus has the opposite sign"].change(centred.with_images(ctf=None)) is None
    assert sample.height_a is not None
    flat = replace(sample, height_a=torch.zeros_like(sample.height_a))
    assert ALL["particle height adds to defocus with the opposite sign"].change(flat) is None


def test_every_alternative_says_what_to_do_and_belongs_to_an_assumption() -> None:
    assert len(ALL) == len(list(alternatives()))
    assert all(alternative.remedy for alternative in ALL.values())
    assert {alternative.assumption for alternative in ALL.values()} == set(ASSUMPTIONS)


def test_transposing_moves_a_wave_along_x_to_one_along_y(sample: Sample) -> None:
    k = torch.from_numpy(sample.disc.k)
    along_x = int(torch.nonzero((k == torch.tensor([2, 0])).all(1)))
    along_y = int(torch.nonzero((k == torch.tensor([0, 2])).all(1)))
    turned = applied("images are transposed", sample)
    assert torch.equal(turned.coefficients[:, along_y], sample.coefficients[:, along_x])
