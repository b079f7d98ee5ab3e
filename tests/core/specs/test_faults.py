"""Faults of a spec are told within bounds, whatever a file holds."""

from __future__ import annotations

import pytest

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.training import TrainingSpec


def test_thousands_of_faults_are_a_short_message() -> None:
    data = {f"no_such_field_{number}": "x" * 10_000 for number in range(3_000)}
    with pytest.raises(SpecError) as caught:
        validate(TrainingSpec, data | {"lr": ["y" * 10_000] * 1000})
    assert len(str(caught.value)) < 20_000
    assert "faults more" in str(caught.value)


@pytest.mark.parametrize("kind", [["a"], {"a": 1}, None, 5])
def test_a_kind_that_is_no_name_is_left_to_validation(kind: object) -> None:
    assert merge({"kind": "mine", "x": 1}, {"kind": kind}) == {"kind": kind}
