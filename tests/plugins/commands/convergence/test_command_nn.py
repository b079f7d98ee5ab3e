from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.mrc import read_volume, write_volume
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.plugins.commands.convergence.command_nn import convergence_nn
from tomodrgn.plugins.commands.convergence.spec import ConvergenceNnSpec

BOX, PIXEL_A = 12, 5.0
PICTURES = {
    "convergence_nn_fsc0.143resolution", "convergence_nn_fsc0.5resolution",
    "convergence_nn_fsc0.143integral", "convergence_nn_fullfsc_all", "convergence_nn_fullfsc_final",
}  # fmt: skip


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    volume = np.random.default_rng(0).standard_normal((BOX, BOX, BOX)).astype(np.float32)
    write_volume(tmp_path / "known.mrc", volume, PIXEL_A)
    return tmp_path / "known.mrc"


@pytest.fixture
def run(tmp_path: Path, reference: Path) -> Path:
    """Volumes of epochs 0, 2 and 10 that come closer to the known map."""
    known, _ = read_volume(reference)
    noise = np.random.default_rng(1).standard_normal(known.shape).astype(np.float32)
    for epoch, share in ((0, 2.0), (2, 1.0), (10, 0.2)):
        write_volume(tmp_path / f"run/reconstruct.{epoch}.mrc", known + share * noise, PIXEL_A)
    write_volume(tmp_path / "run/reconstruct.mrc", known, PIXEL_A)
    return tmp_path / "run"


def independent_fsc(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Shell by shell, from the definition."""
    box = len(first)
    k = np.fft.fftfreq(box, 1 / box)
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(k, k, k, indexing="ij")))
    a, b = (np.fft.fftn(volume.astype(np.float64)) for volume in (first, second))
    curve = []
    for shell in range(box // 2 + 1):
        inside = (radius > shell - 1 + 1e-9) & (radius <= shell + 1e-9)
        one, other = a[inside], b[inside]
        norm = np.sqrt((abs(one) ** 2).sum() * (abs(other) ** 2).sum())
        curve.append((one * other.conj()).real.sum() / norm)
    return np.array(curve)


@pytest.mark.usefixtures("rendered")
def test_curves_of_epochs_are_independent_fscs_in_ascending_order(
    run: Path, reference: Path
) -> None:
    folder = convergence_nn(
        ConvergenceNnSpec(run=run, reference=reference, mask="None", include_dc=True)
    )
    ((freqs, fscs),) = load_pickles(folder / "freqs_fscs.pkl")
    known, _ = read_volume(reference)
    expected = [
        independent_fsc(known, read_volume(run / f"reconstruct.{epoch}.mrc")[0])
        for epoch in (0, 2, 10)
    ]
    np.testing.assert_allclose(fscs, expected, atol=1e-6)
    np.testing.assert_allclose(freqs, np.arange(BOX // 2 + 1) / BOX)
    assert folder == run / "convergence.3"
    assert {path.stem for path in folder.glob("*.png")} == PICTURES
    log = (folder / "convergence_nn.log").read_text()
    assert "in epoch 10" in log


def test_the_shell_of_frequency_0_and_later_epochs_are_left_out(run: Path, reference: Path) -> None:
    spec = ConvergenceNnSpec(run=run, reference=reference, max_epoch=10, plot_format="svgz")
    folder = convergence_nn(spec)
    ((freqs, fscs),) = load_pickles(folder / "freqs_fscs.pkl")
    assert fscs.shape == (2, BOX // 2)
    assert freqs[0] > 0
    assert {path.stem for path in folder.glob("*.svgz")} == PICTURES


def test_a_mask_from_a_file_multiplies_both_volumes(run: Path, reference: Path) -> None:
    mask = np.zeros((BOX, BOX, BOX), np.float32)
    mask[2:9, 2:9, 2:9] = 0.5
    write_volume(run.parent / "mask.mrc", mask, PIXEL_A)
    spec = ConvergenceNnSpec(run=run, reference=reference, mask=str(run.parent / "mask.mrc"))
    ((_, fscs),) = load_pickles(convergence_nn(spec) / "freqs_fscs.pkl")
    known, last = (read_volume(path)[0] for path in (reference, run / "reconstruct.10.mrc"))
    np.testing.assert_allclose(fscs[-1], independent_fsc(known * mask, last * mask)[1:], atol=1e-6)


def test_a_run_without_volumes_is_refused(tmp_path: Path, reference: Path) -> None:
    with pytest.raises(RunError, match=r"no reconstruct\.N\.mrc"):
        convergence_nn(ConvergenceNnSpec(run=tmp_path, reference=reference))


def test_a_map_of_another_box_is_refused_before_anything_is_written(
    run: Path, tmp_path: Path
) -> None:
    write_volume(tmp_path / "small.mrc", np.ones((8, 8, 8), np.float32), PIXEL_A)
    with pytest.raises(DataError, match="resample the map"):
        convergence_nn(ConvergenceNnSpec(run=run, reference=tmp_path / "small.mrc"))
    assert not list(run.glob("convergence*"))


def test_an_unknown_mask_is_refused(run: Path, reference: Path) -> None:
    with pytest.raises(DataError, match="'soff' is no mask"):
        convergence_nn(ConvergenceNnSpec(run=run, reference=reference, mask="soff"))


@pytest.mark.skipif("TOMODRGN_TEST_DATA" not in os.environ, reason="TOMODRGN_TEST_DATA is not set")
def test_two_known_classes_compare_like_independent_fscs(tmp_path: Path) -> None:
    data = Path(os.environ["TOMODRGN_TEST_DATA"]) / "10076"
    first, pixel_size_a = read_volume(data / "10076_classD_32.mrc")
    second, _ = read_volume(data / "10076_classE_32.mrc")
    write_volume(tmp_path / "reconstruct.0.mrc", second, pixel_size_a)
    spec = ConvergenceNnSpec(
        run=tmp_path, reference=data / "10076_classD_32.mrc", mask="none", include_dc=True
    )
    ((_, fscs),) = load_pickles(convergence_nn(spec) / "freqs_fscs.pkl")
    np.testing.assert_allclose(fscs[0], independent_fsc(first, second), atol=1e-6)
