"""The command line: the group, its help and its messages; commands come from plugins."""

from __future__ import annotations

import io
import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from tomodrgn.core.command_table import collect_commands
from tomodrgn.core.errors import TomodrgnError
from tomodrgn.core.manager import COMMAND_PLUGINS, load_plugins
from tomodrgn.core.version import __version__

if TYPE_CHECKING:
    from tomodrgn.core.command import Command


@cache
def offered_commands(without: tuple[str, ...] = ()) -> dict[str, Command]:
    """Records of all commands by name, in the order in which help shows them.

    No component is loaded, so that this is quick. Faults of plugins are told once they are.

    Args:
        without: plugins to leave out.
    """
    plugins = load_plugins(without=without, builtin=COMMAND_PLUGINS, quiet=True)
    return collect_commands(plugins, lambda _plugin, _reason: None)


class LazyGroup(click.Group):
    """Imports a command when it is used; shows a :class:`TomodrgnError` without traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a user meets them."""
        return list(_offered(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        record = _offered(ctx).get(cmd_name)
        if record is None:
            return None
        from tomodrgn.core.cli.record_command import click_command

        return click_command(record)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            rows = [(name, record.summary) for name, record in _offered(ctx).items()]
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the faults of users end in one clear message and exit code 1."""
        _let_any_name_be_told()
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:  # whatever a command or a plugin meets in the system
            if isinstance(error, BrokenPipeError) or ctx.params.get("debug"):
                raise
            words = _words_for(error)
            if words is None:
                raise
            raise click.ClickException(_shown(words)) from error


def _words_for(error: Exception) -> str | None:
    """The message for a fault of the user or the system; None for one of the program."""
    if isinstance(error, TomodrgnError):
        return "; ".join([str(error), *getattr(error, "__notes__", ())])
    from tomodrgn.core.cli.system_faults import words_for

    return words_for(error)


def _shown(text: str) -> str:
    from tomodrgn.core.quoting import shown_lines  # takes milliseconds that help does not have

    return shown_lines(text)


def _let_any_name_be_told() -> None:
    """Let messages hold any character, where the terminal or a log cannot show it as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _offered(ctx: click.Context) -> dict[str, Command]:
    return offered_commands(ctx.params.get("without", ()))


class _EchoHandler(logging.Handler):
    """Writes log records to whatever stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(_shown(self.format(record)), err=True)


def _show_log() -> None:
    logger = logging.getLogger("tomodrgn")
    if not any(isinstance(handler, _EchoHandler) for handler in logger.handlers):
        logger.addHandler(_EchoHandler())
    logger.setLevel(logging.INFO)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tomodrgn")
@click.option(
    "--without", multiple=True, metavar="PLUGIN", help="Leave out a plugin; may be repeated."
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(ctx: click.Context, without: tuple[str, ...], debug: bool) -> None:
    """Analyze structural heterogeneity in cryo-ET particles from their tilt series."""
    _show_log()
    ctx.obj = without
