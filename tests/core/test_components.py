"""The record of a component: one name, and a factory that is imported when it is needed."""

from __future__ import annotations

from typing import Literal

import pytest

from tomodrgn.core.components import Component
from tomodrgn.core.errors import PluginError
from tomodrgn.core.specs.base import Spec


class _Named(Spec):
    kind: Literal["named"] = "named"


class _Nameless(Spec):
    size: int = 3


def _component(spec: type[Spec] = _Named, factory: str = "collections:OrderedDict") -> Component:
    return Component(spec=spec, factory=factory, summary="a thing")


def test_kind_is_read_from_the_spec() -> None:
    assert _component().kind == "named"


def test_spec_without_kind_is_refused() -> None:
    with pytest.raises(PluginError, match="_Nameless has no usable kind"):
        _ = _component(spec=_Nameless).kind


def test_factory_is_imported_on_request() -> None:
    assert _component().load().__name__ == "OrderedDict"


@pytest.mark.parametrize("factory", ["not_there:x", "collections:not_there", "no module at all"])
def test_factory_that_cannot_be_imported_is_named(factory: str) -> None:
    with pytest.raises(PluginError, match=f"named: cannot import factory '{factory}'"):
        _component(factory=factory).load()


def test_factory_that_cannot_be_called_is_named() -> None:
    with pytest.raises(PluginError, match="cannot be called"):
        _component(factory="os:sep").load()
