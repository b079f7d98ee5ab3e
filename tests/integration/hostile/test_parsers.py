"""Every parser reads a damaged file or refuses it in words: no other error, whatever is changed.

A few changes of each file are tried here; ``make many-examples`` tries two thousand of each. Caches
are not among them: HDF5 itself may never return from a file with damaged metadata.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.integration.hostile.mutations import mutated
from tomodrgn.core.data.checkups import read_activity, read_held_out
from tomodrgn.core.data.labels import _recorded_digests
from tomodrgn.core.data.run_directory import read_run
from tomodrgn.core.errors import TomodrgnError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_mrc_header, read_volume, write_volume
from tomodrgn.core.files.pickles import load_pickles, read_index_file, read_latents
from tomodrgn.core.files.star import numeric_column, read_star
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import read_spec
from tomodrgn.core.specs.training import TrainingSpec
from tomodrgn.core.training.checkpoint import load_checkpoint

N_MUTATIONS = int(os.environ.get("TOMODRGN_MUTATIONS", "25"))
STAR = """
data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnVoltage #3
1 "group one" 300.0

data_particles

loop_
_rlnImageName #1
_rlnOpticsGroup #2
_rlnDefocusU #3
1@stacks/a.mrcs 1 20000.5
2@stacks/a.mrcs 1 20001
3@'stacks/b c.mrcs' 1 2e4
"""
"""Rows, quotes and two tables."""


def read_all_of_star(path: Path) -> None:
    star = read_star(path)
    for block in star.tables:
        table = star.read(block)
        for name in block.columns:
            if name in {"rlnVoltage", "rlnDefocusU"}:
                numeric_column(table, name, path)


def star_file(path: Path) -> None:
    path.write_text(STAR)


def volume_file(path: Path) -> None:
    write_volume(path, np.zeros((4, 4, 4), np.float32), 2.0)


def array_file(path: Path) -> None:
    np.save(path, np.arange(12))


def pickle_file(path: Path) -> None:
    path.write_bytes(pickle.dumps(np.arange(12.0)) + pickle.dumps([{"a": 1}, {2, 3}, b"x"]))


def numbers_file(path: Path) -> None:
    path.write_text("# rows\n0\n1\n2  # why\n5\n")


def latents_file(path: Path) -> None:
    path.write_bytes(pickle.dumps(np.zeros((4, 2), np.float32)) * 2)


def spec_file(path: Path) -> None:
    path.write_text("lr: 1.0e-4\nbatch_size: 8\nlr_schedule: cosine\ninit_from: a/b\nload: null\n")


def manifest_file(path: Path) -> None:
    facts = {"box_size_px": 8, "pixel_size_a": 2.0, "n_particles": 4, "n_images": 9, "min_tilts": 2}
    path.write_text(json.dumps({"dataset": facts, "format": 2, "program": "x", "made_in": "/a"}))
    path.with_name("run.yaml").write_text("dataset: {ind: null}\n")


def run_spec_file(path: Path) -> None:
    manifest_file(path.with_name("manifest.json"))
    path.write_text("dataset: {leave_out_imgs: a.txt}\nlatent: {dim: 2}\n")


def lines_file(path: Path) -> None:
    path.write_text('{"sha256": "ab", "n_particles": 3, "epoch": 1, "loss": 2.5}\n{"epoch": 2}\n')


def truth_file(path: Path) -> None:
    path.write_text("simulation: {n_particles: 4, n_classes: 2}\nfiles: {labels_text: x.txt}\n")


def weights_file(path: Path) -> None:
    content = {
        "epoch": 3, "batches_done": None, "norm": [0.0, 1.0], "sums": [1.0], "scaler": None,
        "model_state_dict": {"a.weight": torch.zeros(2, 3)}, "optimizer_state_dict": None,
    }  # fmt: skip
    torch.save(content, path)


PARSERS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], None]]] = {
    "a.star": (read_all_of_star, star_file),
    "header.mrc": (read_mrc_header, volume_file),
    "a.mrc": (read_volume, volume_file),
    "a.npy": (read_index_file, array_file),
    "labels.npy": (read_labels, array_file),
    "a.txt": (read_index_file, numbers_file),
    "labels.txt": (read_labels, numbers_file),
    "a.pkl": (load_pickles, pickle_file),
    "z.pkl": (read_latents, latents_file),
    "labels.pkl": (read_labels, pickle_file),
    "spec.yaml": (lambda path: validate(TrainingSpec, read_spec(path)), spec_file),
    "run.yaml": (lambda path: read_run(path.parent), run_spec_file),
    "manifest.json": (lambda path: read_run(path.parent), manifest_file),
    "truth.yaml": (lambda path: read_truth(path.parent), truth_file),
    "labels.jsonl": (lambda path: _recorded_digests(path.parent), lines_file),
    "activity.jsonl": (lambda path: read_activity(path.parent), lines_file),
    "held_out.jsonl": (lambda path: read_held_out(path.parent), lines_file),
    "weights.pkl": (load_checkpoint, weights_file),
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    read, write = PARSERS[name]
    path = tmp_path / name
    write(path)
    content = path.read_bytes()
    for seed in range(N_MUTATIONS):
        path.write_bytes(mutated(content, seed))
        try:
            read(path)
        except TomodrgnError:
            pass
        except Exception as error:
            raise AssertionError(f"{name}, mutation {seed}: {error!r}") from error
