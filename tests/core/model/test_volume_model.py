from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.fourier.volumes import centred_fft3
from tomodrgn.core.model.evaluation import decode_volumes
from tomodrgn.core.model.volume_model import VolumeModel


class Blob(nn.Module):
    """Closed form: a Gaussian of spread ``width_px`` displaced by the latent (x, y, z) in px."""

    def __init__(self, width_px: float = 1.5) -> None:
        super().__init__()
        self.width_px = nn.Parameter(torch.tensor(width_px, dtype=torch.float64))
        self.asked: list[torch.Tensor] = []

    def forward(
        self, freqs: torch.Tensor, latent: torch.Tensor | None, counts: torch.Tensor
    ) -> torch.Tensor:
        self.asked.append(freqs)
        assert latent is not None
        place = torch.repeat_interleave(latent, counts, dim=0)
        size = torch.exp(-2 * (torch.pi * self.width_px * freqs.norm(dim=1)) ** 2)
        angle = -2 * torch.pi * (freqs * place).sum(1)
        return torch.stack([size * angle.cos(), size * angle.sin()], dim=1)


def blob_density(box: int, place: torch.Tensor, width_px: float = 1.5) -> torch.Tensor:
    axis = torch.arange(box, dtype=torch.float64) - box // 2
    z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
    squared = (x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2
    norm = (2 * torch.pi * width_px**2) ** 1.5
    return torch.exp(-squared / (2 * width_px**2)) / norm


def test_a_decoder_is_asked_only_below_the_plane_and_the_answer_is_hermitian() -> None:
    model = VolumeModel(Blob(), None)
    freqs = torch.rand(100, 3).double() - 0.5
    latent, counts = torch.tensor([[1.0, 2.0, 3.0]]).double(), torch.tensor([100])
    here, there = (model.decode(f, latent, counts) for f in (freqs, -freqs))
    torch.testing.assert_close(here, there * torch.tensor([1.0, -1.0]))
    assert all(bool((asked[:, 2] <= 0).all()) for asked in model.decoder.asked)  # type: ignore[union-attr]


def test_decoded_volumes_are_the_closed_form() -> None:
    places = torch.tensor([[0.0, 0.0, 0.0], [3.0, -2.0, 1.0], [0.0, 5.0, 0.0]]).double()
    volumes = torch.cat(
        list(decode_volumes(VolumeModel(Blob(), None), places, box_size_px=24, batch_size=2))
    )
    expected = torch.stack([blob_density(24, place) for place in places])
    expected = expected - expected.mean(dim=(1, 2, 3), keepdim=True)  # no DC
    torch.testing.assert_close(volumes, expected, atol=2e-4, rtol=0)  # corners beyond the ball


def test_a_smaller_box_is_the_fourier_crop() -> None:
    place = torch.tensor([[2.0, 0.0, -4.0]]).double()
    model = VolumeModel(Blob(), None)
    (large,) = decode_volumes(model, place, box_size_px=24)
    (small,) = decode_volumes(model, place, box_size_px=24, output_box_px=16)
    spectrum = centred_fft3(large[0])[4:20, 4:20, 4:20]
    axis = np.arange(16) - 8
    inside = torch.from_numpy(np.sqrt(sum(g**2 for g in np.meshgrid(axis, axis, axis))) < 8)
    found = centred_fft3(small[0])[inside]
    torch.testing.assert_close(found, spectrum[inside] * (16 / 24) ** 3)


def test_an_odd_or_larger_output_box_is_refused() -> None:
    model = VolumeModel(Blob(), None)
    for box in (15, 26):
        with pytest.raises(DataError, match=f"output box {box} px must be even and at most"):
            list(decode_volumes(model, torch.zeros(1, 3), box_size_px=24, output_box_px=box))


class Cramped(Blob):
    """The same with memory for a number of rows and of volumes at a time."""

    def __init__(self, rows: int, volumes: int) -> None:
        super().__init__()
        self.most_rows, self.most_volumes, self.faults = rows, volumes, 0

    def forward(
        self, freqs: torch.Tensor, latent: torch.Tensor | None, counts: torch.Tensor
    ) -> torch.Tensor:
        if len(freqs) > self.most_rows or len(counts) > self.most_volumes:
            self.faults += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(freqs, latent, counts)


@pytest.mark.parametrize(("rows", "volumes"), [(500, 100), (10_000, 2)])
def test_volumes_that_do_not_fit_are_decoded_fewer_at_a_time(
    rows: int, volumes: int, caplog: pytest.LogCaptureFixture
) -> None:
    places = torch.arange(18.0).view(6, 3).double() / 6
    (whole,) = decode_volumes(VolumeModel(Blob(), None), places, box_size_px=16)
    cramped = Cramped(rows, volumes)
    parts = list(decode_volumes(VolumeModel(cramped, None), places, box_size_px=16))
    torch.testing.assert_close(torch.cat(parts), whole)
    assert cramped.faults <= 6  # from 32 volumes down to 1, not once for each volume
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "decoding volumes: memory ran out"
    ]


def test_no_memory_for_one_volume_is_said() -> None:
    with pytest.raises(RunError, match="decoding volumes: memory does not suffice for one"):
        list(decode_volumes(VolumeModel(Cramped(0, 0), None), torch.zeros(1, 3), box_size_px=16))
