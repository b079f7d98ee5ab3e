"""What every command draws from the options of the group."""

from __future__ import annotations

import click

from tomodrgn.core.manager import load_plugins
from tomodrgn.core.registry import Registry


def installed_registry() -> Registry:
    """The installed components, less the plugins left out with ``--without``."""
    without: tuple[str, ...] = click.get_current_context().obj or ()
    return Registry(load_plugins(without=without))
