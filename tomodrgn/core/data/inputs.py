"""What a command opens by paths of its own: runs, and particles files with their readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomodrgn.core.data.run import Run
from tomodrgn.core.interfaces import Reader, ReaderContext
from tomodrgn.core.specs.faults import validate

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.base import Spec


@dataclass(frozen=True, slots=True)
class ParticlesFile:
    """A particles file and the one reader that understands it.

    Attributes:
        path: of the file.
        kind: of the reader.
    """

    path: Path
    kind: str
    _registry: Registry

    @property
    def _model(self) -> type[Spec]:
        return self._registry.get("reader", self.kind).spec

    def has_option(self, name: str) -> bool:
        """Whether its reader has an option."""
        return name in self._model.model_fields

    def reader(self, *, needs_images: bool = True, **options: Any) -> Reader:
        """Its reader, which has read nothing yet.

        Args:
            needs_images: whether images must be there.
            options: of the reader; those that are None are as if left out.

        Raises:
            SpecError: the reader has no such option, or not with that value.
        """
        given = {name: value for name, value in options.items() if value is not None}
        section = validate(self._model, {"kind": self.kind, "path": self.path, **given})
        reader: Reader = self._registry.build(section, ReaderContext(needs_images=needs_images))
        return reader


class Inputs:
    """Opens runs and particles files by their paths.

    Args:
        registry: the installed components.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def run(self, directory: Path) -> Run:
        """A run directory.

        Raises:
            RunError: there is no run.
        """
        return Run(directory, self._registry)

    def particles_file(self, path: Path) -> ParticlesFile:
        """A particles file, whose kind of reader is found from the file.

        Raises:
            DataError: the file is missing; no reader understands it; or several do.
        """
        return ParticlesFile(path, self._registry.identify_reader(path), self._registry)

    @property
    def kinds_of_readers(self) -> list[str]:
        """Names of the installed readers, sorted."""
        return self._registry.kinds("reader")
