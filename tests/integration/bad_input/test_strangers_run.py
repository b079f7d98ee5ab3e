"""A run directory of a stranger is opened, analyzed and explored; nothing in it is ever run.

Everything that could run would make a marker, and none ever appears.
"""

from __future__ import annotations

import ast
import io
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import tomodrgn
from tests.core.notebook.notebooks import code_cells
from tomodrgn.core.cli.main import cli
from tomodrgn.core.errors import TomodrgnError
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.core.ownership.record import RECORD

PICKLES = ("weights.pkl", "z.pkl", "config.pkl", "labels.pkl")
LOOKS: dict[str, tuple[str, ...]] = {
    "view_config": ("RUN",),
    "view_config of config.pkl": ("RUN/config.pkl",),
    "eval_vol": ("RUN/weights.pkl", "-o", "OUT", "-z", "0", "0"),
    "eval_images": ("STAR", "-w", "RUN/weights.pkl", "-c", "RUN", "-o", "OUT/z.pkl"),
    "analyze": ("RUN", "-o", "OUT", "--ksample", "2", "--skip-vol", "--skip-umap", "--no-report"),
    "validate": ("RUN", "--labels", "RUN/labels.pkl", "-o", "OUT"),
    "nuisance": ("RUN", "-o", "OUT"),
    "export": ("RUN", "star", "-o", "OUT", "--set", "options.labels=[RUN/labels.pkl]"),
    "pc_traversal": ("RUN/z.pkl", "-o", "OUT"),
    "convergence_vae": ("RUN", "-o", "OUT", "--skip-umap"),
    "cleanup": ("RUN", "--weights", "--test"),
}
"""Commands that look at a run."""


class Marks:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def run(latent_run: Path, tmp_path: Path) -> Path:
    """A copy of a run, with labels; no record tells that its files were changed."""
    copy = Path(shutil.copytree(latent_run, tmp_path / "run"))
    (copy / RECORD).unlink()
    (copy / "labels.pkl").write_bytes(pickle.dumps(np.array([0, 1, 0, 1])))
    return copy


@pytest.fixture
def look(run: Path, pristine: Path, tmp_path: Path) -> Callable[[str], Result]:
    """Look at the run by a command, in the folder of the run."""

    def call(name: str) -> Result:
        places = {"RUN": run, "OUT": tmp_path / "out", "STAR": pristine / "particles.star"}
        words = [name.split(maxsplit=1)[0], *LOOKS[name]]
        for place, path in places.items():
            words = [word.replace(place, str(path)) for word in words]
        return CliRunner().invoke(cli, words)

    return call


def assert_told(result: Result) -> None:
    """A call succeeded, or refused in one message."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in {0, 1}


def test_the_marker_would_appear(marker: Path) -> None:
    pickle.loads(pickle.dumps(Marks(marker)))  # noqa: S301  this is what tests below look for
    assert marker.exists()


@pytest.mark.parametrize("name", LOOKS)
def test_pickles_of_a_run_make_nothing(
    name: str, look: Callable[[str], Result], run: Path, marker: Path
) -> None:
    for file in PICKLES:
        (run / file).write_bytes(pickle.dumps(Marks(marker)) * 2)
    assert_told(look(name))
    assert not marker.exists()


def archive(content: bytes) -> bytes:
    """The pickle in an archive like those of ``torch.save``."""
    file = io.BytesIO()
    torch.save({"epoch": 1}, file)
    with zipfile.ZipFile(file) as old:
        parts = {part: old.read(part) for part in old.namelist()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as new:
        for part, held in parts.items():
            new.writestr(part, content if part.endswith("data.pkl") else held)
    return made.getvalue()


@pytest.mark.parametrize("wrap", [archive, bytes])
def test_weights_make_nothing(
    wrap: Callable[[bytes], bytes], look: Callable[[str], Result], run: Path, marker: Path
) -> None:
    (run / "weights.pkl").write_bytes(wrap(pickle.dumps(Marks(marker), protocol=2)))
    refused = look("eval_vol")
    assert refused.exit_code == 1
    assert "not a weights file of this program, or a damaged one" in refused.stderr
    with pytest.raises(TomodrgnError):
        tomodrgn.open(run).volume([0, 0])
    assert not marker.exists()


@pytest.mark.parametrize("name", ["view_config", "analyze", "eval_vol", "nuisance"])
def test_tags_of_yaml_make_nothing(
    name: str, look: Callable[[str], Result], run: Path, marker: Path
) -> None:
    spec = run / "run.yaml"
    tag = f"!!python/object/apply:os.mkdir ['{marker}']"
    spec.write_text(f"{spec.read_text()}\nextra: {tag}\n")
    refused = look(name)
    assert refused.exit_code == 1
    assert f"{spec}, line " in refused.stderr
    assert "extra: has the tag !!python/object/apply:os.mkdir" in refused.stderr
    assert not marker.exists()


@pytest.mark.parametrize("kind", ["evil", "evil:Encoder", "evil.Encoder", "./evil.py", "os:mkdir"])
def test_plugins_that_a_run_names_are_not_imported(
    kind: str, look: Callable[[str], Result], run: Path, marker: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (run / "evil.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    monkeypatch.chdir(run)
    spec = (run / "run.yaml").read_text()
    (run / "run.yaml").write_text(spec.replace("kind: tilt_set", f"kind: {kind!r}"))
    refused = look("eval_images")
    assert refused.exit_code == 1
    assert "no installed plugin offers" in refused.stderr
    assert not marker.exists()
    assert "evil" not in sys.modules


def test_modules_in_the_folder_of_a_run_are_not_imported(run: Path, marker: Path) -> None:
    for module in ("yaml", "numpy", "umap", "sitecustomize_of_nobody", "evil"):
        (run / f"{module}.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    (run / "matplotlibrc").write_text("backend: module://evil\n")
    call = [sys.executable, "-m", "tomodrgn", "view_config", "."]
    done = subprocess.run(call, cwd=run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not marker.exists()


def test_pictures_take_no_backend_from_the_folder_of_a_run(
    look: Callable[[str], Result], run: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "evil.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    (run / "matplotlibrc").write_text("backend: module://evil\n")
    monkeypatch.chdir(run)
    monkeypatch.syspath_prepend(str(run))
    assert_told(look("pc_traversal"))
    assert_told(look("analyze"))
    assert not marker.exists()


def test_a_folder_with_code_in_its_name_is_text_in_notebooks(tmp_path: Path, marker: Path) -> None:
    from tomodrgn.core.notebook.files import place_notebooks

    run = tmp_path / "r'); __import__('os').mkdir('marker') #\" + x"
    for path in place_notebooks(tmp_path / "out", run):
        for cell in code_cells(path):
            calls = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Name)]
            assert "__import__" not in {node.id for node in calls}
    assert not marker.exists()


def test_pickles_ask_for_no_memory(tmp_path: Path) -> None:
    ndarray = np.ndarray

    class Takes:
        def __init__(self, kind: Any, *words: Any) -> None:
            self.kind, self.words = kind, words

        def __reduce__(self) -> tuple[Any, ...]:
            return self.kind, self.words

    for asks in (Takes(bytearray, 1 << 40), Takes(ndarray, (1 << 40,))):
        path = tmp_path / "a.pkl"
        path.write_bytes(pickle.dumps(asks))
        with pytest.raises(TomodrgnError, match="cannot be read as numpy arrays"):
            load_pickles(path)
