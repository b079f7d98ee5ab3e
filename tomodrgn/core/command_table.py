"""The commands that plugins offer, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.manager import BUILTIN_PLUGINS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.command import Command
    from tomodrgn.core.manager import PluginInfo, Plugins


def collect_commands(
    plugins: Plugins, refuse: Callable[[PluginInfo, str], None]
) -> dict[str, Command]:
    """The commands of all plugins by name, built-in ones first, in the order they are yielded.

    Args:
        plugins: the loaded plugins.
        refuse: called with a plugin whose command is left out, and the reason.
    """
    found: dict[str, Command] = {}
    for impl in plugins.manager.hook.tomodrgn_commands.get_hookimpls():
        plugin = plugins.infos[impl.plugin_name]
        try:
            commands: list[Command] = list(impl.function())  # type: ignore[call-overload]
        except Exception as error:  # a plugin must not break the others
            if plugin.name in BUILTIN_PLUGINS:
                raise
            refuse(plugin, f"tomodrgn_commands: {type(error).__name__}: {error}")
            continue
        for command in commands:
            if command.name in found:
                refuse(plugin, f"the command {command.name!r} is there already")
            else:
                found[command.name] = command
    return found
