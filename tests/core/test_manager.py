"""Loading plugins: what breaks is named and skipped, what is left out stays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tomodrgn.core import hookspecs
from tomodrgn.core.errors import PluginError
from tomodrgn.core.families import FAMILIES
from tomodrgn.core.manager import BUILTIN_PLUGINS, PLUGINS_VARIABLE, load_plugins
from tomodrgn.core.registry import Registry

from .conftest import GRID

if TYPE_CHECKING:
    from .conftest import PluginMaker


def test_every_family_has_its_hook() -> None:
    names = {name for name in vars(hookspecs) if name.startswith("tomodrgn_")}
    assert names == {family.hook for family in FAMILIES} | {
        "tomodrgn_identify_reader",
        "tomodrgn_commands",
        "tomodrgn_extensions",
    }


def test_built_in_plugins_come_first_and_with_their_package() -> None:
    plugins = load_plugins(external=(), modules=())
    assert tuple(plugins.infos) == BUILTIN_PLUGINS
    assert {info.package for info in plugins.infos.values()} == {"tomodrgn"}


def test_plugin_that_cannot_be_imported_is_skipped_with_its_reason(
    make_plugins: PluginMaker,
) -> None:
    plugins = make_plugins(broken="import not_there", good=GRID)
    assert plugins.infos["broken"].error == "ModuleNotFoundError: No module named 'not_there'"
    assert plugins.infos["good"].error is None
    assert not plugins.manager.has_plugin("broken")


def test_plugin_that_exits_at_import_does_not_end_the_program(make_plugins: PluginMaker) -> None:
    plugins = make_plugins(rude="raise SystemExit(3)")
    assert plugins.infos["rude"].error == "SystemExit: 3"


def test_misspelt_hook_is_caught(make_plugins: PluginMaker) -> None:
    plugins = make_plugins(misspelt=GRID.replace("tomodrgn_decoders", "tomodrgn_decoder"))
    assert "tomodrgn_decoder" in str(plugins.infos["misspelt"].error)
    assert not plugins.manager.has_plugin("misspelt")


def test_hook_with_a_wrong_argument_is_caught(make_plugins: PluginMaker) -> None:
    plugins = make_plugins(wrong=GRID.replace("decoders()", "decoders(color)"))
    assert "color" in str(plugins.infos["wrong"].error)


def test_plugin_left_out_is_not_loaded() -> None:
    plugins = load_plugins(external=(), modules=(), without=["tomodrgn.plugins.weightings"])
    assert Registry(plugins).kinds("loss_weightings") == []


def test_leaving_out_an_unknown_plugin_is_refused_with_a_suggestion() -> None:
    with pytest.raises(PluginError, match=r"Did you mean 'tomodrgn\.plugins\.readers'"):
        load_plugins(external=(), modules=(), without=["tomodrgn.plugins.reader"])


def test_environment_names_uninstalled_modules(
    make_plugins: PluginMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plugins(research=GRID)
    monkeypatch.setenv(PLUGINS_VARIABLE, "research, not_there")
    plugins = load_plugins(external=())
    assert plugins.infos["research"].error is None
    assert "not_there" in str(plugins.infos["not_there"].error)
    assert "grid" in Registry(plugins).kinds("decoder")
