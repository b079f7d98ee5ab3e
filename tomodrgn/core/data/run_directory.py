"""What a run leaves behind, and how later commands read it.

``run.yaml`` (the resolved spec) and ``manifest.json`` (versions, inputs and facts of the data set)
are authoritative; ``config.pkl`` keeps the classic structure for classic tools and is never read.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.data.paths import RunOrigin
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import write_bytes_atomic
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.invocation import words_of_call
from tomodrgn.core.ownership.results import REPLACED
from tomodrgn.core.products import MANIFEST, RUN_SPEC
from tomodrgn.core.specs.files import read_spec
from tomodrgn.core.version import __version__

if TYPE_CHECKING:
    from tomodrgn.core.specs.run import RunSpecBase

FORMAT: Final = 2
"""Of run directories; 1 did not record the folder that relative paths start from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFacts:
    """What a model has to know of the data it was trained on."""

    box_size_px: int
    pixel_size_a: float
    n_particles: int
    n_images: int
    min_tilts: int
    max_tilts: int = 0
    particles_sha256: str = ""
    """Digest of the names of the particles in their order; empty where it was not recorded."""
    particle_set_sha256: str = ""
    """The same in any order."""
    some_poses: dict[str, list[float]] = field(default_factory=dict)
    """Poses of a few particles, see :func:`~.identity.some_poses`."""


def find_run_directory(config: Path | None, weights: Path) -> Path:
    """Directory of the run that ``config`` (a directory, run.yaml or config.pkl) belongs to.

    Raises:
        RunError: there is no run.yaml in it.
    """
    place = weights.parent if config is None else config
    directory = place if place.is_dir() else place.parent
    if not (directory / RUN_SPEC).exists():
        if (directory / REPLACED / RUN_SPEC).exists():
            raise RunError(
                f"{directory}: the command that was replacing this run has not ended well; the run "
                f"of before is in {directory / REPLACED}"
            )
        if not place.exists():
            raise RunError(f"{place}: there is no such file or folder; give a run directory")
        raise RunError(
            f"{directory}: no {RUN_SPEC} there; give the run directory, with --config where "
            "weights lie elsewhere; a config.pkl of another program does not hold what is needed"
        )
    return directory


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What ``run.yaml`` and ``manifest.json`` say.

    Attributes:
        spec: the resolved run spec, not yet validated.
        facts: of the data set.
        origin: where the run was made.
    """

    spec: dict[str, Any]
    facts: DatasetFacts
    origin: RunOrigin


def read_run(directory: Path) -> RunRecord:
    """The record of a run.

    Raises:
        RunError: the manifest is missing or damaged, or of a later version of the program.
        SpecError: the spec is missing or damaged.
    """
    spec = read_spec(directory / RUN_SPEC)
    dataset = spec.get("dataset")
    listed = dataset.get("leave_out_imgs") if isinstance(dataset, dict) else None
    if isinstance(listed, str) and (directory / Path(listed).name).exists():  # the run was moved
        spec["dataset"]["leave_out_imgs"] = str(directory / Path(listed).name)
    path = directory / MANIFEST
    try:
        manifest = read_json(path)
        facts = _facts(manifest["dataset"])
        found_format, program = int(manifest.get("format", 1)), manifest.get("program", "")
        places = (manifest.get("made_in"), manifest.get("started_in"))
        origin = RunOrigin(directory, *(None if each is None else Path(each) for each in places))
    except (DataError, ArithmeticError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: cannot be read as the manifest of a run ({error}); train the run again"
        ) from error
    if found_format > FORMAT:
        raise RunError(
            f"{path}: a run directory of format {found_format}, made by {program}; this is "
            f"tomodrgn {__version__}, which knows formats up to {FORMAT}; use that version or later"
        )
    return RunRecord(spec=spec, facts=facts, origin=origin)


def _facts(found: Any) -> DatasetFacts:
    """Facts of a data set, each of its kind."""
    facts = DatasetFacts(**found)
    counts = ("box_size_px", "n_particles", "n_images", "min_tilts", "max_tilts")
    wrong = [name for name in counts if type(getattr(facts, name)) is not int]
    if not isinstance(facts.pixel_size_a, int | float):
        wrong.append("pixel_size_a")
    if not isinstance(facts.some_poses, dict):
        wrong.append("some_poses")
    if wrong:
        raise TypeError(f"{wrong[0]} is {getattr(facts, wrong[0])!r}")
    return facts


def write_classic_config(
    path: Path, run: RunSpecBase, facts: DatasetFacts, norm: tuple[float, float]
) -> None:
    """Write ``config.pkl``: a dictionary of plain values, then one about the call, both pickled.

    Args:
        path: where to.
        run: the resolved run spec.
        facts: the data set.
        norm: shift and scale of the images.
    """
    spec = run.model_dump(mode="json")
    config = {
        "dataset_args": _classic_dataset(spec, facts) | {"norm": list(norm)},
        "lattice_args": {
            "D": facts.box_size_px + 1,
            "extent": spec["preparation"]["l_extent"],
            "ignore_DC": True,
        },
        "model_args": _classic_model(spec),
        "training_args": _classic_training(spec) | {"outdir": str(path.parent.absolute())},
        "seed": spec["seed"],
        "angpix": facts.pixel_size_a,
    }
    meta = {"time": str(datetime.now()), "cmd": words_of_call(), "version": __version__}
    write_bytes_atomic(path, pickle.dumps(config) + pickle.dumps(meta))


def _classic_dataset(spec: dict[str, Any], facts: DatasetFacts) -> dict[str, Any]:
    return {
        "particles": str(Path(spec["reader"]["path"]).absolute()),
        "ntilts": spec["training"]["sample_ntilts"] or facts.min_tilts,
        "invert_data": spec["contrast"]["invert_data"],
        "ind": spec["dataset"]["ind"],
        "window": spec["preparation"]["window"],
        "window_r": spec["preparation"]["window_r"],
        "datadir": spec["reader"].get("datadir"),
    }


def _classic_model(spec: dict[str, Any]) -> dict[str, Any]:
    encoding = spec["positional_encoding"] or {"kind": "none"}
    encoder, decoder = spec["encoder"], spec["decoder"]
    model = {
        "pe_type": encoding["kind"],
        "pe_dim": encoding.get("dim"),
        "feat_sigma": encoding.get("sigma"),
        "domain": "fourier",
        "activation": decoder.get("activation"),
        "l_dose_mask": spec["training"]["l_dose_mask"],
    }
    if encoder is None:
        return model | {"layers": decoder.get("layers"), "dim": decoder.get("dim")}
    return model | {
        "qlayersA": encoder.get("layers_a"),
        "qdimA": encoder.get("dim_a"),
        "out_dimA": encoder.get("out_dim_a"),
        "qlayersB": encoder.get("layers_b"),
        "qdimB": encoder.get("dim_b"),
        "enc_mask": encoder.get("mask_radius_px"),
        "players": decoder.get("layers"),
        "pdim": decoder.get("dim"),
        "zdim": spec["latent"]["dim"],
    }


def _classic_training(spec: dict[str, Any]) -> dict[str, Any]:
    training, weightings = spec["training"], [part["kind"] for part in spec["loss_weightings"]]
    return {
        "n": training["num_epochs"],
        "B": training["batch_size"],
        "wd": training["wd"],
        "lr": training["lr"],
        "beta": spec["latent"]["beta"],
        "beta_control": spec["latent"]["beta_control"],
        "amp": spec["devices"]["precision"] == "mixed",
        "multigpu": spec["devices"]["multigpu"],
        "lazy": spec["cache"]["residency"] == "stream",
        "recon_dose_weight": "dose" in weightings,
        "recon_tilt_weight": "tilt" in weightings,
        "dose_override": spec["dataset"]["dose_override"],
        "verbose": training["verbose"],
        "log_interval": training["log_interval"],
        "checkpoint": training["checkpoint"],
    }
