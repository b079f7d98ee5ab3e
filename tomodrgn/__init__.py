"""tomodrgn: structural heterogeneity in cryo-ET particles from their tilt series.

    import tomodrgn as td

    run = td.train_linear("particles.star", "run")
    run.latents.head()
    volume = run.volume(run.latents.mean())

``td.read`` gives a data set, ``td.open`` a run; every command of the command line is a function
here, and every command on a run is a method of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tomodrgn.core.version import __version__

if TYPE_CHECKING:
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.python import open_run as open  # noqa: A004  as io.open: a run, not a file
    from tomodrgn.core.python import read

__all__ = ["Dataset", "Run", "__version__", "open", "read"]

_PLACES = {
    "Dataset": "tomodrgn.core.data.dataset:Dataset",
    "Run": "tomodrgn.core.data.run:Run",
    "open": "tomodrgn.core.python:open_run",
    "read": "tomodrgn.core.python:read",
}


def __getattr__(name: str) -> Any:
    """Nouns and commands, imported when they are first asked for."""
    if name.startswith("_"):
        raise AttributeError(name)
    if name in _PLACES:
        from pkgutil import resolve_name

        return resolve_name(_PLACES[name])
    from tomodrgn.core.python import installed

    record = installed().commands.get(name)
    if record is None or not record.is_step:
        raise AttributeError(f"module 'tomodrgn' has no attribute {name!r}")
    from tomodrgn.core.data.calls import PythonCommand

    return PythonCommand(record, installed())


def __dir__() -> list[str]:
    """The nouns and the commands."""
    from tomodrgn.core.python import installed

    commands = installed().commands.items()
    return sorted([*__all__, *(name for name, record in commands if record.is_step)])
