"""What the page says of classes, by what was found."""

from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.plugins.commands.validate.chance import Separation
from tomodrgn.plugins.commands.validate.page import ClassFinding, Validation, validation_page


def validation(p_value: float, p_of_pair: float) -> Validation:
    """Three classes, of which the first two have ``p_of_pair``, and no others doubts."""
    pairs = np.full((3, 3), 1e-4)
    pairs[0, 1] = pairs[1, 0] = p_of_pair
    names = ("apo", "bound", "rotated")
    return Validation(
        classes=tuple(
            ClassFinding(name=name, n_particles=100, n_images=900, n_tomograms=3) for name in names
        ),
        compared=(0, 1, 2),
        separation=Separation(
            p_value=p_value, z=9.0, z_within=None, class_p_value=np.full(3, 1e-4),
            class_z=np.full(3, 5.0), pair_p_value=pairs, pair_z=np.full((3, 3), 5.0),
        ),
        n_compared=300,
        is_held_out=True,
        pixel_size_a=2.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("p_value", "p_of_pair", "is_named"),
    [(1e-4, 0.5, True), (1e-4, 1e-4, False), (0.5, 0.5, False)],
)
def test_pairs_are_named_where_classes_differ_and_these_do_not(
    p_value: float, p_of_pair: float, is_named: bool
) -> None:
    page = validation_page(validation(p_value, p_of_pair))
    assert ("Not told apart: classes apo and bound." in page) == is_named
    assert ("Not told apart" in page) == is_named


def test_no_class_is_real_where_labels_together_are_not() -> None:
    assert validation(1e-4, 1e-4).class_verdicts == ["real"] * 3
    assert validation(0.5, 1e-4).class_verdicts == ["no better than chance"] * 3
