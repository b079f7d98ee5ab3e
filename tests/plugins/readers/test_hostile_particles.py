"""Files of every flavour are read or refused, whatever is done to them: no other error, no hang."""

from __future__ import annotations

import random
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers.image_series.test_nextpyp import OPTICS, _of_nextpyp
from tests.plugins.readers.volume_series.test_m_volumeseries import poses
from tests.plugins.readers.volume_series.test_warp_volumeseries import volumes
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import tomodrgn_identify_reader, tomodrgn_readers

if TYPE_CHECKING:
    from pathlib import Path

MOST_SECONDS = 2.0
N_FILES = 60
VALUES = (
    *("nan", "inf", "-1", "0", "1e39", "-1e39", "1e308", "1e-320", "99999999999999999999", "x"),
    *("''", '"a b"', "@", "1@", "@a", "1.5@a", "-3@a", "inf@stacks/0.mrcs", "1@" + "a" * 5000),
    *("é", "3@stacks/0.mrcs", "1@../../../etc/passwd", "1@/dev/zero", "1@.", "0x1F", "#", "data_"),
)
KINDS = ("warp_particleseries", "nextpyp", "warp_volumeseries", "m_volumeseries")


@pytest.fixture
def texts(series: pd.DataFrame, stacks: list[Path], tmp_path: Path) -> dict[str, str]:
    """A whole file of each flavour, of which the stacks are there."""
    assert all(path.exists() for path in stacks)
    tables = {
        "warp_particleseries": series,
        "nextpyp": _of_nextpyp(series),
        "warp_volumeseries": volumes(),
        "m_volumeseries": poses(n_samples=2),
    }
    texts = {}
    for kind, table in tables.items():
        write_table(tmp_path / "a.star", table, "particles")
        texts[kind] = (tmp_path / "a.star").read_text()
    write_table(tmp_path / "a.star", pd.DataFrame([OPTICS]), "optics")
    texts["nextpyp"] = (tmp_path / "a.star").read_text() + texts["nextpyp"]
    return texts


def _mutated(text: str, seed: int) -> str:
    """A file with some values, names and lines changed, always the same ones for a seed."""
    rng = random.Random(seed)  # noqa: S311  no secrets here
    lines = text.split("\n")
    for _ in range(rng.randrange(1, 4)):
        place = rng.choice([n for n, line in enumerate(lines) if line] or [0])
        words = lines[place].split("\t")
        change = rng.randrange(6)
        if change <= 2:
            words[rng.randrange(len(words))] = rng.choice(VALUES)
            lines[place] = "\t".join(words)
        elif change == 3:
            del lines[place]
        elif change == 4:
            lines.insert(rng.randrange(len(lines)), lines[place])
        else:
            lines = "\n".join(lines)[: rng.randrange(len(text))].split("\n")
    return "\n".join(lines)


def _read_or_refuse(path: Path) -> bool:
    """Whether the file was read; what is read is finite, and refusals are in one line."""
    components = {component.kind: component for component in tomodrgn_readers()}
    try:
        component = components[tomodrgn_identify_reader(path)]
        reader = component.load()(component.spec(path=path), ReaderContext())
        particles = reader.read()
        if reader.has_images:
            reader.load_images(particles.source_image)
    except DataError as error:
        message = str(error)
    else:
        columns = particles.images.convert(np.isfinite)
        assert columns.rotation.all()
        assert columns.shift_px.all()
        assert columns.ctf is None or columns.ctf.defocus_u_a.all()
        assert particles.position_a is None or np.isfinite(particles.position_a).all()
        return True
    assert "\n" not in message
    assert len(message) < 20_000
    return False


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files_are_read_or_refused(
    kind: str, texts: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "a.star"
    path.write_text(texts[kind])
    assert _read_or_refuse(path)
    n_read = 0
    for seed in range(N_FILES):
        path.write_text(_mutated(texts[kind], seed))
        started = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            n_read += _read_or_refuse(path)
        assert time.process_time() - started < MOST_SECONDS
    assert 0 < n_read < N_FILES  # the changes neither spare nor spoil every file


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["1e39", "1e-320", "nan", "-1e30", "1e30"])
def test_any_number_may_be_out_of_range(
    kind: str, value: str, texts: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "a.star"
    lines = texts[kind].rstrip("\n").split("\n")
    words = lines[-1].split("\t")
    for column in range(len(words)):
        changed = "\t".join([*words[:column], value, *words[column + 1 :]])
        path.write_text("\n".join([*lines[:-1], changed, ""]))
        _read_or_refuse(path)
