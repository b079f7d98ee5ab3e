"""Options, spec files and pipeline files that describe no run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from tests.integration.bad_input.conftest import BASICS, NETWORKS
from tomodrgn.core.cli.main import cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.bad_input.conftest import Accept, DataSet, Refuse


@pytest.fixture
def refuse_spec(refuse: Refuse, tmp_path: Path) -> Refuse:
    """A spec file with some content is refused; nothing is written."""

    def run(content: str) -> str:
        path = tmp_path / "spec.yaml"
        path.write_text(content)
        message = refuse("train_vae", "--spec", path, "-o", tmp_path / "run")
        assert not (tmp_path / "run").exists()
        return message

    return run


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "the file is empty; a spec file is a mapping of sections"),
        ("- a\n- b\n", "holds a list; a spec file is a mapping of sections"),
        ("hello", "holds a str; a spec file is a mapping of sections"),
        ("a: [1,\n", "write it as YAML"),
        ("latent: {dim: 1}\nlatent: {dim: 2}\n", "the key 'latent' is given twice"),
        ("!!python/object/apply:os.system ['true']", "write it as YAML"),
    ],
)
def test_file_that_is_no_spec(
    refuse_spec: Refuse, tmp_path: Path, content: str, fault: str
) -> None:
    message = refuse_spec(content)
    assert message.startswith(str(tmp_path / "spec.yaml"))
    assert fault in message


def test_all_three_faults_are_shown(refuse_spec: Refuse, data: DataSet) -> None:
    faulty: dict[str, Any] = {
        "reader": {"path": str(data.star)},
        "latent": {"dim": 2, "betta": 1},
        "training": {"lr": -1},
        "decoder": {"kind": "fourier_mpl"},
    }
    lines = refuse_spec(yaml.safe_dump(faulty)).splitlines()
    assert len(lines) == 3
    assert "latent: there is no field 'betta'. Did you mean 'beta'?" in lines[0]
    assert "training.lr: input should be greater than 0, got -1" in lines[1]
    assert "decoder: no installed plugin offers 'fourier_mpl'. Did you mean" in lines[2]


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ({"reader": "particles.star"}, "reader: input should be a mapping of fields"),
        ({"reader": {"path": 5}}, "reader.path: input should be a path, got 5"),
        ({"latent": 5}, "latent: input should be a mapping of fields, got 5"),
        ({"decoder": None}, "decoder: input should be a mapping of fields"),
        ({"loss_weightings": "dose"}, "loss_weightings: input should be a list, got 'dose'"),
        ({"training": {"lr": float("inf")}}, "training.lr: input should be a finite number"),
    ],
)
def test_section_of_the_wrong_type(
    refuse_spec: Refuse, data: DataSet, section: dict[str, Any], fault: str
) -> None:
    spec = {"reader": {"path": str(data.star)}, "latent": {"dim": 2}, **section}
    assert fault in refuse_spec(yaml.safe_dump(spec))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--window-r", 0.95, "--window-r-outer", 0.9), "0.9 must be larger than window_r 0.95"),
        (("--pe-type", "gausian"), "Did you mean 'gaussian'?"),
        (("--set", "decoder.kind=fourier_mpl"), "Did you mean 'fourier_mlp'?"),
        (("--set", "latent.dim"), "--set latent.dim: write it as section.field=value"),
        (("--set", "nope=1"), "there is no field 'nope'"),
        (("--beta", "z"), "latent.beta: "),
        (("--l-extent", 0.01), "extent 0.01 leaves no coefficient of a box of 8 px"),
    ],
)
def test_option_that_describes_no_run(
    refuse: Refuse, data: DataSet, tmp_path: Path, options: tuple[object, ...], fault: str
) -> None:
    call = ["train_vae", data.star, "-o", tmp_path / "run", *NETWORKS, *BASICS, *options]
    assert fault in refuse(*call)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--nope",),
        ("--zdim",),
        ("--lr", -1),
        ("--dose-override", 0),
        ("--seed", 2**40),
        ("--activation", "nope"),
    ],
)
def test_wrong_usage_exits_with_2(
    data: DataSet, tmp_path: Path, options: tuple[object, ...]
) -> None:
    words = ["train_vae", data.star, "-o", tmp_path / "run", *NETWORKS, *options]
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 2
    assert str(options[0]) in result.stderr
    assert not (tmp_path / "run").exists()


STEPS = """
steps:
- simulate: {outdir: OUT/data, n_particles: 4, n_tilts: 3, box_size_px: 8}
- train_vae: {particles: OUT/data/particles.star, outdir: OUT/run, latent: {dim: 2}}
"""


@pytest.mark.parametrize(
    ("third", "fault"),
    [
        ("eval_vol: {weights: OUT/run/weights.pkl, out: OUT/v, zz: 3}", "no field 'zz'"),
        ("eval_vol: {weights: OUT/x.pkl, out: OUT/v, z: [0, 0]}", "weights: "),
        ("eval_vol: {weights: OUT/run/weights.pkl, out: OUT/v, z: [0]}", "z: has 1 numbers"),
        ("eval_vol: {weights: OUT/run/weights.pkl, out: OUT/v}", "z is missing"),
        ("evalvol: {}", "there is no command 'evalvol'. Did you mean 'eval_vol'?"),
        (
            "train_nn: {particles: OUT/data/particles.star, outdir: 5}",
            "outdir: input should be a path, got 5",
        ),
        ("train_nn: {particles: 7, outdir: OUT/b}", "reader.path: input should be a path"),
        ("train_nn: {particles: OUT/gone.star, outdir: OUT/b}", "OUT/gone.star does not exist"),
        (
            "train_nn: {particles: OUT/data/particles.star, outdir: OUT/run}",
            "outdir: an earlier step trains in OUT/run",
        ),
        (
            "train_nn: {particles: OUT/data/particles.star, outdir: OUT/b, decoder: {kind: mlp}}",
            "decoder: no installed plugin offers 'mlp'",
        ),
    ],
)
def test_fault_of_the_third_step_is_found_before_the_first(
    refuse: Refuse, tmp_path: Path, third: str, fault: str
) -> None:
    out, pipeline = tmp_path / "out", tmp_path / "pipeline.yaml"
    pipeline.write_text(f"{STEPS}- {third}\n".replace("OUT", str(out)))
    message = refuse("run", pipeline)
    assert message.startswith(f"{pipeline}: step 3")
    assert fault.replace("OUT", str(out)) in message
    assert not out.exists()


def test_results_in_the_way_are_found_before_the_first_step(
    refuse: Refuse, homogeneous_run: Path, data: DataSet, tmp_path: Path
) -> None:
    pipeline = tmp_path / "pipeline.yaml"
    train = f"train_nn: {{particles: {data.star}, outdir: {homogeneous_run}}}"
    pipeline.write_text(f"{STEPS}- {train}\n".replace("OUT", str(tmp_path / "out")))
    assert f"step 3 (train_nn): {homogeneous_run}: already holds a run" in refuse("run", pipeline)
    assert not (tmp_path / "out").exists()


def test_missing_plugin_module_is_named_and_hinders_nothing(
    accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOMODRGN_PLUGINS", "no_such_module")
    accept("--help")
    listed = accept("plugins", "list")
    assert "fourier_mlp" in listed.stdout
    assert "problem in no_such_module (TOMODRGN_PLUGINS=no_such_module): ModuleNotFoundError" in (
        listed.stderr
    )
