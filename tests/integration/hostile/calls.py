"""A call of every command that works on small data, to be spoilt in one place."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import write_pickle
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

_ON_CPU = "--accelerator cpu"
_TRAINING = f"--seed 1 -b 4 -n 2 {_ON_CPU} --threads 1 --no-report"
_NETWORKS = (
    "--zdim 2 --enc-layers-A 1 --enc-dim-A 8 --out-dim-A 4 --enc-dim-B 8 --dec-layers 1 --dec-dim 8"
)
CALLS = {
    "simulate": "-o {out} --n-particles 4 --n-tilts 3 --n-tomograms 2 --box-size-px 8",
    "check": "{star} -o {out} --no-tests",
    "downsample": "{star} -D 8 -o {out}/small.star",
    "prepare": "{star} --cache {out}/cache.h5",
    "plan": f"{{star}} {_NETWORKS}",
    "backproject_voxel": f"{{star}} -o {{out}}/map.mrc {_ON_CPU}",
    "train_vae": f"{{star}} -o {{out}} {_NETWORKS} {_TRAINING}",
    "train_linear": f"{{star}} -o {{out}} --zdim 1 --no-report {_ON_CPU}",
    "classify": f"{{star}} -o {{out}} -K 2 --no-report {_ON_CPU}",
    "refine_poses": f"{{star}} -o {{out}} --refine-poses on {_ON_CPU}",
    "train_nn": f"{{star}} -o {{out}} --layers 1 --dim 8 {_TRAINING}",
    "convergence_nn": "{nn} {map} -o {out}",
    "convergence_vae": f"{{run}} -o {{out}} --skip-umap --final-maxima 2 {_ON_CPU}",
    "eval_vol": f"{{run}}/weights.pkl -o {{out}} --zfile {{latents}} {_ON_CPU}",
    "eval_images": f"{{star}} -w {{run}}/weights.pkl -c {{run}} -o {{out}}/z.pkl {_ON_CPU}",
    "analyze": f"{{run}} -o {{out}} --ksample 2 --pc 1 --skip-vol --skip-umap {_ON_CPU}",
    "pc_traversal": "{latents} -o {out}",
    "graph_traversal": "{latents} --anchors 0 1 -o {out}",
    "analyze_volumes": "{volumes} -o {out} --skip-umap",
    "validate": f"{{run}} --labels {{labels}} -o {{out}} {_ON_CPU}",
    "nuisance": "{run} -o {out}",
    "filter_star": "{star} --ind {indices} -o {out}/kept.star",
    "subtomo2chimerax": "{volume_star} --outdir {out} --mode volume --vol-path {map}",
    "export": "{run} star -o {out}",
    "score": "{run} {truth} -o {out} --n-decoded 2",
    "view_config": "{run}",
    "cleanup": "{run} --weights --test",
    "run": "{pipeline} --check",
    "plugins": "list",
}  # fmt: skip
"""Words behind each command; names in braces are those of :class:`SmallData`."""


@dataclass(frozen=True)
class SmallData:
    """Inputs of every command, in one folder."""

    folder: Path

    def inputs(self, out: Path) -> dict[str, Path]:
        """Where the inputs of commands are."""
        return {
            "star": self.folder / "data/particles.star", "truth": self.folder / "data",
            "volume_star": self.folder / "data/volumes.star", "run": self.folder / "vae",
            "nn": self.folder / "nn", "latents": self.folder / "latents.pkl",
            "labels": self.folder / "labels.pkl", "indices": self.folder / "indices.txt",
            "map": self.folder / "volumes/vol_000.mrc", "volumes": self.folder / "volumes",
            "pipeline": self.folder / "pipeline.yaml", "out": out,
        }  # fmt: skip

    def words(self, command: str, out: Path, /, **spoilt: object) -> list[str]:
        """The words of a call, with some inputs replaced."""
        names = self.inputs(out) | spoilt
        return [command, *(word.format(**names) for word in shlex.split(CALLS[command]))]

    def digests(self) -> dict[str, str]:
        """Digest of every file."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def call(words: list[str]) -> Result:
    """Call a command in this process."""
    return CliRunner().invoke(cli, words)


def is_told(result: Result) -> bool:
    """Whether a call succeeded, or ended with one message and no traceback."""
    if result.exit_code == 0:
        return True
    is_ended = isinstance(result.exception, SystemExit) and result.exit_code in {1, 2}
    return is_ended and result.stderr.count("Error: ") == 1 and "Traceback" not in result.stderr


def make_small_data(folder: Path) -> SmallData:
    """Two dozen particles of three tilts and box 12, and what commands need besides runs."""
    data = SmallData(folder)
    size = {"n_particles": 24, "n_tilts": 3, "n_tomograms": 2, "box_size_px": 12}
    simulate(SimulationSpec(outdir=folder / "data", pixel_size_a=20.0, n_classes=2, **size))
    write_pickle(folder / "latents.pkl", np.random.default_rng(0).normal(size=(24, 2)))
    write_pickle(folder / "labels.pkl", np.arange(24) % 2)
    (folder / "indices.txt").write_text("0\n2\n3\n")
    (folder / "volumes").mkdir()
    for number in range(3):
        values = np.random.default_rng(number).normal(size=(12, 12, 12)).astype(np.float32)
        write_volume(folder / f"volumes/vol_{number:03d}.mrc", values, 20.0)
    step = f"train_nn: {{particles: {folder}/data/particles.star, outdir: {folder}/other}}"
    (folder / "pipeline.yaml").write_text(f"steps:\n- {step}\n")
    return data


def make_runs(data: SmallData) -> None:
    """A run of either kind."""
    for command, name in (("train_vae", "vae"), ("train_nn", "nn")):
        made = call(data.words(command, data.folder / name))
        assert made.exit_code == 0, made.output
