"""Installed plugins as the tests of the machinery need them: built-ins, and modules made up."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Protocol

import pytest

from tomodrgn.core.manager import Plugins, load_plugins
from tomodrgn.core.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

GRID = '''
from __future__ import annotations
from typing import Literal
from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

class GridSpec(Spec):
    """Options of ``grid``."""

    kind: Literal["grid"] = "grid"
    edge: int = 8
    """Edge in px."""

@hookimpl
def tomodrgn_decoders():
    yield Component(spec=GridSpec, factory="collections:OrderedDict", summary="a grid")
'''


class PluginMaker(Protocol):
    """Loads the built-in plugins and modules with the sources given by name."""

    def __call__(self, **sources: str) -> Plugins: ...


@pytest.fixture
def make_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginMaker:
    monkeypatch.syspath_prepend(tmp_path)

    def make(**sources: str) -> Plugins:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
            monkeypatch.delitem(sys.modules, name, raising=False)
        entries = [EntryPoint(name, name, "tomodrgn") for name in sources]
        return load_plugins(external=entries, modules=())

    return make


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The built-in components."""
    return Registry(load_plugins(external=(), modules=()))
