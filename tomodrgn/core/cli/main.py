"""The command line: names, options and messages; the work is in ``core.pipeline``."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from tomodrgn import __version__
from tomodrgn.core.errors import TomodrgnError

if TYPE_CHECKING:
    from collections.abc import Mapping


class LazyCommand(NamedTuple):
    """Where a command is, and what ``--help`` says about it without importing it."""

    place: str
    summary: str


COMMANDS: Final[Mapping[str, LazyCommand]] = {
    "simulate": LazyCommand(
        "tomodrgn.core.cli.cmd_simulate:simulate", "Make tilt series with known answers."
    ),
    "check": LazyCommand(
        "tomodrgn.core.cli.cmd_check:check",
        "Say what is wrong with the input, before any training.",
    ),
    "downsample": LazyCommand(
        "tomodrgn.core.cli.cmd_downsample:downsample",
        "Put images, particles or a volume on fewer pixels.",
    ),
    "prepare": LazyCommand(
        "tomodrgn.core.cli.cmd_prepare:prepare", "Turn tilt images into a cache of coefficients."
    ),
    "plan": LazyCommand(
        "tomodrgn.core.cli.cmd_plan:plan",
        "Say how much memory train_vae would take, and train nothing.",
    ),
    "backproject_voxel": LazyCommand(
        "tomodrgn.core.cli.cmd_backproject_voxel:backproject_voxel",
        "Reconstruct maps from images whose poses are known.",
    ),
    "train_vae": LazyCommand(
        "tomodrgn.core.cli.cmd_train_vae:train_vae", "Train a model of heterogeneous particles."
    ),
    "train_linear": LazyCommand(
        "tomodrgn.core.cli.cmd_train_linear:train_linear",
        "Fit a linear model of heterogeneous particles, in seconds.",
    ),
    "classify": LazyCommand(
        "tomodrgn.core.cli.cmd_classify:classify", "Sort particles into classes, each with a map."
    ),
    "train_nn": LazyCommand(
        "tomodrgn.core.cli.cmd_train_nn:train_nn", "Train a model of one structure."
    ),
    "convergence_nn": LazyCommand(
        "tomodrgn.core.cli.cmd_convergence_nn:convergence_nn",
        "Compare the epochs of a train_nn run with a known map.",
    ),
    "convergence_vae": LazyCommand(
        "tomodrgn.core.cli.cmd_convergence_vae:convergence_vae",
        "Compare the epochs of a train_vae run, and recommend one.",
    ),
    "eval_vol": LazyCommand(
        "tomodrgn.core.cli.cmd_eval_vol:eval_vol", "Decode volumes from a trained model."
    ),
    "eval_images": LazyCommand(
        "tomodrgn.core.cli.cmd_eval_images:eval_images", "Encode particles with a trained model."
    ),
    "analyze": LazyCommand(
        "tomodrgn.core.cli.cmd_analyze:analyze",
        "Look at the latents of a run: components, clusters, volumes and pictures.",
    ),
    "pc_traversal": LazyCommand(
        "tomodrgn.core.cli.cmd_pc_traversal:pc_traversal",
        "Write latents along principal components.",
    ),
    "graph_traversal": LazyCommand(
        "tomodrgn.core.cli.cmd_graph_traversal:graph_traversal",
        "Find a way from particle to particle through their neighbours.",
    ),
    "analyze_volumes": LazyCommand(
        "tomodrgn.core.cli.cmd_analyze_volumes:analyze_volumes",
        "Compare decoded volumes voxel by voxel.",
    ),
    "validate": LazyCommand(
        "tomodrgn.core.cli.cmd_validate:validate",
        "Hold classes against the raw tilt images: are the states real?",
    ),
    "nuisance": LazyCommand(
        "tomodrgn.core.cli.cmd_nuisance:nuisance",
        "Say what explains the latent besides structure.",
    ),
    "filter_star": LazyCommand(
        "tomodrgn.core.cli.cmd_filter_star:filter_star",
        "Keep some particles or images of a STAR file.",
    ),
    "subtomo2chimerax": LazyCommand(
        "tomodrgn.core.cli.cmd_subtomo2chimerax:subtomo2chimerax",
        "Draw particles in their tomograms, in ChimeraX.",
    ),
    "export": LazyCommand(
        "tomodrgn.core.cli.cmd_export:export",
        "Write results of a finished run for another program.",
    ),
    "score": LazyCommand(
        "tomodrgn.core.cli.cmd_score:score", "Compare a run on simulated series with the truth."
    ),
    "view_config": LazyCommand(
        "tomodrgn.core.cli.cmd_view_config:view_config", "Show what a run was told."
    ),
    "cleanup": LazyCommand(
        "tomodrgn.core.cli.cmd_cleanup:cleanup",
        "Remove files of a run that are no longer needed.",
    ),
    "run": LazyCommand("tomodrgn.core.cli.cmd_run:run", "Run the steps of a pipeline file."),
    "plugins": LazyCommand("tomodrgn.core.cli.cmd_plugins:plugins", "Inspect installed plugins."),
}


class LazyGroup(click.Group):
    """Imports a command when it is used; shows a :class:`TomodrgnError` without traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].place.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the faults of users end in one clear message and exit code 1."""
        try:
            return super().invoke(ctx)
        except TomodrgnError as error:
            if ctx.params.get("debug"):
                raise
            message = "; ".join([str(error), *getattr(error, "__notes__", ())])
            raise click.ClickException(message) from error
        except PermissionError as error:  # from any look at a path, so it is explained here
            if ctx.params.get("debug"):
                raise
            message = f"{error.filename}: {error.strerror}; change who may use it, or name another"
            raise click.ClickException(message) from error


class _EchoHandler(logging.Handler):
    """Writes log records to whatever stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


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
    """Analyse structural heterogeneity in cryo-ET particles from their tilt series."""
    _show_log()
    ctx.obj = without
