"""One trial: a command in a fresh copy of a small world fails, and the promise is looked at."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml

from tests.docs import warm_python
from tomodrgn.core.errors import TomodrgnError
from tomodrgn.core.files.mrc import read_mrc_header
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.core.files.star import read_star
from tomodrgn.core.training.checkpoint import load_checkpoint

SMALL: Final = (
    "--dec-dim 8 --dec-layers 1 --enc-dim-A 8 --enc-layers-A 1 --out-dim-A 4 --enc-dim-B 8 "
    "--pe-dim 2 --zdim 2 --seed 1 -b 4 --accelerator cpu --threads 1 -n 2 --pooling-function mean"
)
COMMANDS: Final = {
    "simulate": "simulate -o other --n-particles 4 --box-size-px 16 --pixel-size-a 20 --n-tilts 3 "
    "--min-tilts 3 --seed 1",
    "downsample": "downsample set/particles.star -D 8 -o small/particles.star",
    "filter_star": "filter_star set/particles.star --min-tilts 1 --tomogram all -o part.star",
    "check": "check set/particles.star -o checked --seed 1",
    "prepare": "prepare set/particles.star --cache new.h5",
    "prepare in parts": "prepare set/particles.star --cache new.h5 --cache-files 3",
    "prepare again": "prepare set/particles.star --cache run/cache.h5 --rebuild-cache",
    "backproject_voxel": "backproject_voxel set/particles.star -o map.mrc --accelerator cpu",
    "train_vae": f"train_vae set/particles.star -o new {SMALL}",
    "train_vae over another": f"train_vae set/particles.star -o run {SMALL} --overwrite",
    "train_vae gone on with": f"train_vae set/particles.star -o run {SMALL} -n 3 --load latest",
    "train_nn": "train_nn set/particles.star -o new --dim 8 --layers 1 -n 1 --accelerator cpu",
    "train_linear": "train_linear set/particles.star -o new --zdim 1 --accelerator cpu",
    "train_linear over another": "train_linear set/particles.star -o run --zdim 1 --overwrite "
    "--accelerator cpu",
    "classify": "classify set/particles.star -o new --n-classes 2 --accelerator cpu",
    "analyze": "analyze run --ksample 2",
    "analyze_volumes": "analyze_volumes --voldir vols --config run -o space --ksample 2",
    "eval_vol": "eval_vol run/weights.pkl --zfile run/z.pkl -o decoded",
    "eval_images": "eval_images set/particles.star -w run/weights.pkl -o z.new.pkl",
    "validate": "validate run --labels set/labels.pkl --accelerator cpu",
    "nuisance": "nuisance run",
    "export": "export run cryodrgn -o exported",
    "pc_traversal": "pc_traversal run/z.pkl -o ways",
    "graph_traversal": "graph_traversal run/z.pkl --anchors 0 3 -o ways",
    "subtomo2chimerax": "subtomo2chimerax set/volumes.star --outdir placed --mode markers",
    "convergence_vae": "convergence_vae run --skip-volgen --random-state 1",
    "score": "score run set",
    "cleanup": "cleanup run --weights --zfiles",
}
"""What each command is called with, in a world of a set, a run and decoded volumes."""

AGAIN: Final = ("backproject_voxel", "filter_star", "eval_images", "downsample")
"""Commands that write single files, which are replaced when asked."""

MINE: Final = ("z.mine.pkl", "run/z.mine.pkl", "run/weights_backup.pkl", "run/analyze.1/my.txt")
"""Files of the user, beside those of the program."""


_SAID: Final = {
    "full": "No space left on device",
    "unreadable": "Input/output error",
    "memory": "memory does not suffice",
}
"""What a command that cannot go on says of a fault."""


@dataclass(frozen=True, slots=True)
class World:
    """A folder with a set, a run and volumes, and a server that calls commands.

    Attributes:
        place: where commands work; put back before every trial.
        kept: how it was.
        socket: of the server.
    """

    place: Path
    kept: Path
    socket: Path

    def call(
        self, *words: str, fault: tuple[str, int] = ("none", 0)
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, with a fault or without."""
        kind, number = fault
        script = Path(__file__).with_name("failing.py")
        return warm_python.run(self.socket, [script, kind, number, self.place, *words])


def make_world(folder: Path, socket: Path) -> World:
    """The world before anything fails."""
    world = World(folder / "place", folder / "kept", socket)
    world.place.mkdir(parents=True)
    for words in (
        "simulate -o set --n-particles 24 --n-classes 2 --box-size-px 16 --pixel-size-a 20 "
        "--n-tilts 5 --min-tilts 3 --n-tomograms 2 --snr 0.5 --seed 1",
        f"train_vae set/particles.star -o run {SMALL} --fraction-train 0.7 --no-report",
        "eval_vol run/weights.pkl --zfile run/z.pkl -o vols",
    ):
        done = world.call(*words.split())
        if done.returncode:
            raise RuntimeError(done.stderr)
    for name in MINE:
        (world.place / name).parent.mkdir(exist_ok=True)
        (world.place / name).write_bytes(b"precious")
    shutil.copytree(world.place, world.kept)
    return world


def attempt(
    world: World, name: str, fault: tuple[str, int], *, calls_again: bool = True
) -> tuple[bool, list[str]]:
    """Call a command with a fault, and maybe once more without.

    Whether the fault came, and what of the promise was broken.
    """
    place, words = world.place, COMMANDS[name].split()
    _put_back(world)
    inputs = {path: path.read_bytes() for path in _files(place / "set")}
    mark = place.parent / "came"
    mark.unlink(missing_ok=True)
    failed = world.call(*words, fault=fault)
    came = mark.exists() or (fault[0] == "large" and failed.returncode != 0)
    broken = [f"traceback: {failed.stderr[-2000:]}"] if "Traceback" in failed.stderr else []
    has_verdict = name == "check" and "Error" not in failed.stderr  # 1 when it finds something
    says_why = _SAID.get(fault[0], "") in failed.stderr or has_verdict
    if failed.returncode and came and not says_why:
        broken.append(f"does not say why: {failed.stderr[-2000:]}")
    broken += [f"lost {each}" for each in MINE if not _is_whole(place / each)]
    broken += [f"changed {path}" for path in inputs if path.read_bytes() != inputs[path]]
    broken += list(_unreadable(place))
    if not calls_again:
        return came, broken
    again = [*words, "--overwrite"] if name in AGAIN else words
    done = world.call(*again)
    if "already holds a run" in done.stderr:
        done = world.call(*words, "--overwrite")
    if done.returncode and "Error" in done.stderr:  # not of check, which has found something
        broken.append(f"the next call fails: {done.stderr[-2000:]}")
    broken += [f"left {path}" for path in _files(place) if path.name.endswith(".partial")]
    broken += [f"left {path}" for path in place.rglob("replaced")]
    broken += [f"lost {each} in the end" for each in MINE if not _is_whole(place / each)]
    return came, broken


def count_steps(world: World, name: str, kind: str) -> int:
    """At how many steps a command can fail."""
    _put_back(world)
    steps = world.place.parent / "steps"
    steps.unlink(missing_ok=True)
    world.call(*COMMANDS[name].split(), fault=(kind, 0))
    return steps.stat().st_size if steps.exists() else 0


def _put_back(world: World) -> None:
    shutil.rmtree(world.place)
    shutil.copytree(world.kept, world.place)


def _is_whole(path: Path) -> bool:
    return path.exists() and path.read_bytes() == b"precious"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _unreadable(place: Path) -> Iterator[str]:
    """Results with names of their own that cannot be read."""
    for path in _files(place):
        read = _READ.get(path.suffix)
        if read is None or path.name.startswith(".") or path.read_bytes() == b"precious":
            continue
        if path.parent.name == "exported":  # in the formats of others
            continue
        if path.name.startswith("weights") or path.name == "interrupted.pkl":
            read = load_checkpoint
        try:
            read(path)
        except (TomodrgnError, ValueError, OSError, EOFError) as error:
            yield f"unreadable {path}: {error}"


def _read_lines(path: Path) -> None:
    for line in path.read_text().splitlines():
        json.loads(line)


_READ: dict[str, Callable[[Path], object]] = {
    ".pkl": load_pickles,
    ".mrc": read_mrc_header,
    ".mrcs": read_mrc_header,
    ".npy": lambda path: np.load(path, allow_pickle=False),
    ".json": lambda path: json.loads(path.read_text()),
    ".jsonl": _read_lines,
    ".yaml": lambda path: yaml.safe_load(path.read_text()),
    ".star": read_star,
}


def every(
    world: World, name: str, kind: str, numbers: Sequence[int]
) -> Iterator[tuple[int, list[str]]]:
    """Trials at each of some steps, until the command ends before the fault comes."""
    for number in numbers:
        came, broken = attempt(world, name, (kind, number))
        yield number, broken
        if not came:
            return
