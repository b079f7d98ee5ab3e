"""What each command that works on a run assumes about it: a base layer and a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.classify import ClassifySpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import AUTO, Layer, merge
from tomodrgn.core.specs.reconstruction import ReconstructionSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.run import RunSpecBase

_HOMOGENEOUS: Final[Layer] = {
    "reader": {"kind": AUTO},
    "positional_encoding": {"kind": "geom_lowf"},
    "encoder": None,
    "decoder": {"kind": "fourier_mlp"},
}

BASE_LAYERS: Final[Mapping[str, Layer]] = {
    "prepare": _HOMOGENEOUS,
    "train_nn": _HOMOGENEOUS,
    "train_linear": {
        "reader": {"kind": AUTO},
        "positional_encoding": None,
        "encoder": None,
        "decoder": {"kind": "linear_volumes"},
    },
    "train_vae": {**_HOMOGENEOUS, "encoder": {"kind": "tilt_set"}},
}
"""Sections that a command starts from, by command."""

_USED_BY_LINEAR: Final[Mapping[str, frozenset[str]]] = {
    "training": frozenset({"overwrite", "verbose", "report"}),
    "latent": frozenset({"dim"}),
    "devices": frozenset({"accelerator", "threads"}),
    "loss_weightings": frozenset(),
    "exporters": frozenset(),
}
"""Fields that linear models and classes look at, of the sections that they use in part."""


def resolve_run(
    command: str, *layers: Mapping[str, Any], registry: Registry, pending: bool = False
) -> RunSpecBase:
    """Run spec of a command: its base layer, overridden by ``layers``, later ones first.

    Args:
        command: a key of ``BASE_LAYERS``.
        layers: nested mappings; later ones win.
        registry: the installed components.
        pending: whether the input may be made later, see :meth:`Registry.parse`.

    Raises:
        SpecError: the spec has faults, or describes a run of another command.
    """
    run = registry.parse(merge(BASE_LAYERS[command], *layers), pending=pending)
    encoder = run.encoder
    if command == "train_vae" and encoder is None:
        raise SpecError("encoder: train_vae needs one; use train_nn for a model without latents")
    if command == "train_vae" and run.latent.dim is None:
        raise SpecError(
            "latent.dim is missing: train_vae needs the number of latent dimensions (--zdim)"
        )
    if command == "train_linear" and (encoder or run.decoder.kind != "linear_volumes"):
        raise SpecError(
            "decoder: train_linear fits linear_volumes without an encoder; leave both out, or "
            "use train_vae"
        )
    if command == "train_linear":
        _refuse_unused(run)
    if command == "train_nn" and encoder is not None:
        raise SpecError(
            f"encoder: train_nn has none, found {encoder.kind!r}; use train_vae, "
            "or --set encoder=null"
        )
    return run


def resolve_classification(
    *layers: Mapping[str, Any], registry: Registry, pending: bool = False
) -> tuple[ClassifySpec, RunSpecBase]:
    """How to classify, and the run spec that says what; arguments as above.

    Raises:
        SpecError: either has faults.
    """
    merged = merge(*layers)
    mine = {name: merged.pop(name) for name in ClassifySpec.model_fields if name in merged}
    spec = validate(ClassifySpec, mine)
    run = resolve_run("train_linear", merged, registry=registry, pending=pending)
    if run.latent.dim is not None:
        raise SpecError("latent.dim: classes have no latents; leave it out")
    return spec, run


def resolve_reconstruction(
    *layers: Mapping[str, Any], registry: Registry, pending: bool = False
) -> tuple[ReconstructionSpec, RunSpecBase]:
    """Which maps to reconstruct, and the run spec that says from what; arguments as above.

    Raises:
        SpecError: either has faults.
    """
    merged = merge(*layers)
    mine = {name: merged.pop(name) for name in ReconstructionSpec.model_fields if name in merged}
    spec = validate(ReconstructionSpec, mine)
    return spec, resolve_run("prepare", merged, registry=registry, pending=pending)


def _refuse_unused(run: RunSpecBase) -> None:
    """Refuse what a run without a network would pass over in silence."""
    given = run.model_dump(exclude_defaults=True)
    for section, used in _USED_BY_LINEAR.items():
        values = given.get(section)
        names = sorted(set(values) - used) if isinstance(values, dict) else []
        places = [f"{section}.{name}" for name in names] or (
            [section] if values and not used else []
        )
        if places:
            raise SpecError(
                f"{places[0]}: train_linear and classify have no use for it; leave it out, or use "
                "train_vae"
            )
