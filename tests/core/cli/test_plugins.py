"""plugins list, show and check, for people and for scripts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.manager import PLUGINS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

BAD = '''
from typing import Literal
from tomodrgn.core.components import Component
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.core.specs.base import Spec

class BadSpec(Spec):
    """Options of ``bad``."""

    kind: Literal["bad"] = "bad"
    bare: int = 3

@hookimpl
def tomodrgn_decoders():
    yield Component(spec=BadSpec, factory="bad_plugin:nowhere", summary="a bad one")
'''


@pytest.fixture
def bad_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad_plugin.py").write_text(BAD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bad_plugin", raising=False)
    monkeypatch.setenv(PLUGINS_VARIABLE, "bad_plugin,missing_plugin")


def test_list_names_every_family_but_empty_ones(invoke: Callable[..., Result]) -> None:
    rows = json.loads(invoke("plugins", "list", "--json").output)["components"]
    assert {"reader", "positional_encoding", "encoder", "decoder", "loss_weightings"} <= {
        row["family"] for row in rows
    }
    assert "fourier_mlp" in invoke("plugins", "list").output


def test_show_draws_options_from_the_spec(invoke: Callable[..., Result]) -> None:
    shown = json.loads(invoke("plugins", "show", "decoder", "fourier_mlp", "--json").output)
    options = {option["name"]: option for option in shown["options"]}
    assert options["dim"]["description"] == "Features per hidden layer."
    assert options["dim"]["default"] == 256
    assert (
        "Features per hidden layer." in invoke("plugins", "show", "decoder", "fourier_mlp").output
    )


def test_show_of_an_unknown_kind_suggests_one(invoke: Callable[..., Result]) -> None:
    result = invoke("plugins", "show", "decoder", "fourier_mpl")
    assert result.exit_code == 1
    assert "Did you mean 'fourier_mlp'?" in result.output


def test_check_passes_for_built_in_plugins(invoke: Callable[..., Result]) -> None:
    result = invoke("plugins", "check")
    assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("bad_plugin")
def test_check_names_what_is_wrong(invoke: Callable[..., Result]) -> None:
    result = invoke("plugins", "check")
    assert result.exit_code == 1
    assert "cannot import factory 'bad_plugin:nowhere'" in result.output
    assert "option bare has no docstring" in result.output
    assert "No module named 'missing_plugin'" in result.output


@pytest.mark.usefixtures("bad_plugin")
def test_left_out_plugins_are_not_checked(invoke: Callable[..., Result]) -> None:
    words = ("--without", "bad_plugin", "--without", "missing_plugin")
    assert invoke(*words, "plugins", "check").exit_code == 0
