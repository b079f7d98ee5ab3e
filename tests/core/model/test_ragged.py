from __future__ import annotations

import pytest
import torch

from tomodrgn.core.model.ragged import first_rows, pad, segment_max, segment_mean, segment_median

COUNTS = torch.tensor([1, 4, 2, 7])


@pytest.fixture
def rows() -> torch.Tensor:
    return torch.randn(14, 3, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize(
    ("pooled", "of_one"),
    [
        (segment_mean, lambda part: part.mean(0)),
        (segment_max, lambda part: part.amax(0)),
        (segment_median, lambda part: part.quantile(0.5, dim=0)),
    ],
)
def test_each_particle_is_pooled_by_itself(pooled, of_one, rows: torch.Tensor) -> None:  # type: ignore[no-untyped-def]
    parts = rows.split(COUNTS.tolist())
    torch.testing.assert_close(pooled(rows, COUNTS), torch.stack([of_one(part) for part in parts]))


def test_padding_puts_every_row_in_its_place(rows: torch.Tensor) -> None:
    padded, present = pad(rows, COUNTS)
    torch.testing.assert_close(padded[present], rows)
    assert torch.all(padded[~present] == 0)
    assert present.sum(1).tolist() == COUNTS.tolist()


def test_first_rows_are_the_first_of_each(rows: torch.Tensor) -> None:
    found = first_rows(rows[1:], COUNTS[1:], 2)
    expected = torch.stack([part[:2] for part in rows[1:].split(COUNTS[1:].tolist())])
    torch.testing.assert_close(found, expected)
