"""What a run was told: its spec and its facts, or the classic config of another program's run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.files.pickles import load_pickles
from tomodrgn.core.products import CONFIG, MANIFEST, RUN_SPEC
from tomodrgn.core.specs.files import read_spec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.plugins.commands.view_config.spec import ViewSpec


class Told(dict[str, Any]):
    """What a run was told, as plain values."""

    def page(self) -> str:
        """What is printed: YAML."""
        text: str = yaml.safe_dump(dict(self), sort_keys=False, allow_unicode=True)
        return text

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(self)


def view_config(spec: ViewSpec) -> Told:
    """What a run was told, as plain values: ``run`` and ``manifest``, or ``config``.

    The resolved spec is preferred; a ``config.pkl`` is shown where it is asked for by name, or
    where there is nothing else.

    Raises:
        RunError: there is neither.
        SpecError: the spec is damaged.
        DataError: the config is damaged, or holds more than plain values.
    """
    directory = spec.run if spec.run.is_dir() else spec.run.parent
    if spec.run.name == CONFIG or not (directory / RUN_SPEC).exists():
        path = directory / CONFIG
        if not path.exists():
            raise RunError(f"{spec.run}: is or holds neither {RUN_SPEC} nor {CONFIG}; give a run")
        config, *others = (_plain(value) for value in load_pickles(path))
        return Told({"config": config, **({"call": others[0]} if others else {})})
    return Told({"run": read_spec(directory / RUN_SPEC), **_manifest(directory / MANIFEST)})


def _manifest(path: Path) -> dict[str, Any]:
    try:
        return {"manifest": read_json(path)}
    except DataError:
        return {}  # the spec alone says what the run was told


def _plain(value: Any) -> Any:
    """Values of a pickle as YAML and JSON can write them."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    return value if isinstance(value, str | int | float | bool | None) else str(value)
