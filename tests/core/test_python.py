"""Python says and does what the command line does, and starts without heavy libraries."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tomodrgn as td
from tests.core.finished_run import finish_run, write_example
from tests.docs import warm_python
from tomodrgn.core.errors import DataError, OutputError, RunError, SpecError
from tomodrgn.core.files.pickles import read_index_file, read_latents
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

HEAVY = {"torch", "pandas", "pydantic", "matplotlib", "sklearn", "h5py"}


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(SimulationSpec(
        outdir=tmp_path_factory.mktemp("set"), n_particles=24, n_classes=2, n_tilts=5,
        box_size_px=16, pixel_size_a=20.0, snr=0.5, seed=2,
    ))  # fmt: skip


@pytest.fixture(scope="module")
def run(star: Path, tmp_path_factory: pytest.TempPathFactory) -> td.Run:
    outdir = tmp_path_factory.mktemp("runs") / "linear"
    return td.train_linear(star, outdir, zdim=1, seed=0, no_report=True)


def words(socket: Path, *line: object) -> None:
    done = warm_python.run(socket, ["-m", "tomodrgn", *line])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["tomodrgn", "tomodrgn.plugin"])
def test_the_doors_import_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = {"pydantic"} if module == "tomodrgn.plugin" else set()
    assert (HEAVY - allowed).isdisjoint(found.stdout.split())


def test_python_finds_what_the_command_line_finds(
    run: td.Run, star: Path, warm_socket: Path, tmp_path: Path
) -> None:
    words(warm_socket, "train_linear", star, "-o", tmp_path / "cli", "--zdim", 1, "--seed", 0,
          "--no-report")  # fmt: skip
    mean, _ = read_latents(tmp_path / "cli" / "z.pkl")
    np.testing.assert_array_equal(run.z, mean)
    words(warm_socket, "eval_vol", "-w", tmp_path / "cli" / "weights.pkl", "-z", mean[0, 0], "-o",
          tmp_path / "one.mrc")  # fmt: skip
    from tomodrgn.core.files.mrc import read_volume

    np.testing.assert_array_equal(run.volume(mean[0]), read_volume(tmp_path / "one.mrc")[0])


def test_latents_are_a_table_by_tomogram_and_particle(run: td.Run) -> None:
    table = run.latents
    assert list(table.columns) == ["z0"]
    assert table.index.names == ["tomogram", "particle"]
    assert list(table.index.get_level_values("particle")) == list(run.particles.name)
    np.testing.assert_array_equal(table.to_numpy(), run.z)


def test_volumes_of_rows_are_those_of_each(run: td.Run) -> None:
    volumes = run.volumes(run.latents.iloc[:2])
    assert volumes.shape == (2, 16, 16, 16)
    one = run.volume(run.latents.iloc[1])
    np.testing.assert_allclose(volumes[1], one, atol=1e-5 * one.std())


def test_latents_of_another_dimension_are_refused(run: td.Run) -> None:
    with pytest.raises(DataError, match=r"shape \(1, 3\), the model takes rows of 1"):
        run.volume([0, 1, 2])
    with pytest.raises(RunError, match="volumes depend on the latent; give one"):
        run.volume()


def test_a_run_is_opened_by_its_folder(run: td.Run, tmp_path: Path) -> None:
    again = td.open(run.directory)
    pd.testing.assert_frame_equal(again.latents, run.latents)
    assert repr(again) == f"Run({str(run.directory)!r}: 24 particles, 1 latent dimension, " \
        "box 16 px, 20 A/px)"  # fmt: skip
    with pytest.raises(RunError, match="there is no such file or folder"):
        td.open(tmp_path / "nowhere")


def test_a_data_set_goes_into_a_command(star: Path, run: td.Run, tmp_path: Path) -> None:
    data = td.read(star, use_first_nptcls=20)
    assert data.particles.n_particles == 20
    linear = td.train_linear(data, tmp_path / "run", zdim=1, seed=0, no_report=True)
    assert len(linear.latents) == 20
    assert linear.spec.dataset.use_first_nptcls == 20


def test_commands_on_runs_are_methods(run: td.Run, star: Path, tmp_path: Path) -> None:
    found = run.validate(star.parent / "labels.pkl", outdir=tmp_path)
    assert found.page().startswith("# Do the classes differ")
    assert (tmp_path / "validate.json").exists()
    assert {"validate", "analyze", "nuisance", "latents"} <= set(dir(run))
    with pytest.raises(AttributeError, match="has no attribute 'valdate'"):
        run.valdate  # noqa: B018  it is asked for


def test_selected_particles_are_those_of_a_mask_rows_or_a_table(run: td.Run) -> None:
    table = run.latents
    chosen = table[table["z0"] > table["z0"].median()]
    expected = run.select(chosen)
    assert len(expected) == 12
    for which in (
        table["z0"] > table["z0"].median(),
        np.flatnonzero(table["z0"] > table["z0"].median()),
    ):
        assert run.select(which).indices.tolist() == expected.indices.tolist()
    assert list(expected.index) == list(chosen.index)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (np.zeros(24, bool), "no particle is selected"),
        (np.ones(3, bool), r"a mask of shape \(3,\) was given, the run has 24"),
        ([0.5], "rows are whole numbers, found float64; give a mask or rows"),
        ([24], "rows go from 0 to 23; found 24 to 24"),
    ],
)
def test_selections_that_name_nothing_are_refused(run: td.Run, which: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run.select(which)


def test_a_selection_is_written_for_other_commands(run: td.Run, tmp_path: Path) -> None:
    chosen = run.select([3, 1])
    assert read_index_file(chosen.save(tmp_path / "ind.pkl")).tolist() == [1, 3]
    (star,) = chosen.write_star(tmp_path / "kept.star")
    kept = td.read(star, datadir=str(Path(run.particles.source).parent)).everything[1]
    assert list(kept.name) == list(run.particles.name[[1, 3]])


def test_a_selection_never_replaces_the_input(run: td.Run, star: Path) -> None:
    before = star.read_bytes()
    for write in (run.select([1]).write_star, run.select([1]).save):
        with pytest.raises(OutputError, match="is the input, which stays as it is"):
            write(star)
    assert star.read_bytes() == before


def test_keywords_are_the_options_of_the_command_line() -> None:
    signature = inspect.signature(td.train_vae)
    assert list(signature.parameters)[:2] == ["particles", "outdir"]
    assert {"zdim", "num_epochs", "enc_dim_A", "no_window"} <= set(signature.parameters)
    assert td.train_vae.__doc__.startswith("Train a model of heterogeneous particles.")
    assert "Arguments: particles, outdir. Keywords: datadir, " in td.train_vae.__doc__


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (("p.star", "out"), {"zdmi": 2}, "there is no field 'zdmi'"),
        (("p.star", "out"), {"zdim": 0}, "latent.dim: input should be greater than 0"),
        (("p.star", "out"), {"outdir": "x", "zdim": 2}, "outdir is given twice"),
        (("p.star", "out", 3), {}, "takes particles, outdir; found 3"),
        (("p.star",), {"zdim": 2}, "outdir: is missing"),
    ],
)
def test_faults_are_told_as_on_the_command_line(
    arguments: tuple[object, ...], given: dict[str, object], message: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    write_example(tmp_path / "p.star")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=message):
        td.train_vae(*arguments, **given)


def test_a_call_is_recorded_as_it_was_made(
    star: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="tomodrgn")
    run = td.train_linear(str(star), str(tmp_path / "run"), zdim=1, no_report=True)
    call = (
        f"tomodrgn.train_linear({str(star)!r}, {str(tmp_path / 'run')!r}, zdim=1, no_report=True)"
    )
    assert call in caplog.messages
    assert run.view_config()["manifest"]["command"] == [call]


def test_one_structure_has_a_volume_and_no_latents(
    star: Path, registry: Registry, tmp_path: Path
) -> None:
    run = td.train_nn(star, tmp_path / "nn", layers=1, dim=8, num_epochs=1, no_report=True)
    assert run.volume().shape == (16, 16, 16)
    with pytest.raises(RunError, match="one structure and has no latents"):
        run.latents  # noqa: B018  it is read now
    assert finish_run(tmp_path / "run", star, np.zeros((24, 1)), registry).is_dir()
