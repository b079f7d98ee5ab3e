"""The commands that plugins offer, and what they add to commands, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tomodrgn.core.manager import BUILTIN_PLUGINS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tomodrgn.core.command import Command
    from tomodrgn.core.extension import Extension
    from tomodrgn.core.manager import PluginInfo, Plugins


def collect_extensions(
    plugins: Plugins, refuse: Callable[[PluginInfo, str], None]
) -> list[Extension]:
    """What plugins add to commands; names are unique at each point.

    Args:
        plugins: the loaded plugins.
        refuse: called with a plugin whose extension is left out, and the reason.
    """
    found: dict[tuple[str, str], Extension] = {}
    for plugin, extension in _offered(plugins, "tomodrgn_extensions", refuse):
        key = (extension.point, extension.name)
        if key in found:
            refuse(plugin, f"the {extension.point} {extension.name!r} is there already")
        else:
            found[key] = extension
    return list(found.values())


def collect_commands(
    plugins: Plugins, refuse: Callable[[PluginInfo, str], None]
) -> dict[str, Command]:
    """The commands of all plugins by name, in the order of their places in help.

    Args:
        plugins: the loaded plugins.
        refuse: called with a plugin whose command is left out, and the reason.
    """
    found: dict[str, Command] = {}
    for plugin, command in _offered(plugins, "tomodrgn_commands", refuse):
        if command.name in found:
            refuse(plugin, f"the command {command.name!r} is there already")
        else:
            found[command.name] = command
    return dict(sorted(found.items(), key=lambda each: each[1].help_order))


def _offered(
    plugins: Plugins, hook: str, refuse: Callable[[PluginInfo, str], None]
) -> Iterator[tuple[PluginInfo, Any]]:
    """Every record that a hook yields, with its plugin."""
    for impl in getattr(plugins.manager.hook, hook).get_hookimpls():
        plugin = plugins.infos[impl.plugin_name]
        try:
            records = list(impl.function())
        except Exception as error:  # a plugin must not break the others
            if plugin.name in BUILTIN_PLUGINS:
                raise
            refuse(plugin, f"{hook}: {type(error).__name__}: {error}")
            continue
        for record in records:
            yield plugin, record
