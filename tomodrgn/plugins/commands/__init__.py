"""Commands that are built in, offered like those of anybody else.

Help shows them in this order, in which a user meets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.command import Command
from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.plugins.commands import (
    backproject,
    check,
    classify,
    cleanup,
    confounds,
    convergence,
    downsample,
    eval_images,
    export,
    filter_star,
    mapback,
    plan,
    prepare,
    score,
    simulate,
    train,
    traversals,
    validate,
    view_config,
    volumes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_VERBS: Final = "tomodrgn.core.pipeline"
_SPECS: Final = "tomodrgn.core.specs"
_OF_RESULTS: Final = "tomodrgn.core.cli.result_options"


@hookimpl
def tomodrgn_commands() -> Iterable[Command]:
    """All built-in commands."""
    return (*_OF_INPUT, *_OF_MODELS, *_OF_RUNS, *_OF_THE_PROGRAM)


_OF_INPUT: Final = (
    *simulate.COMMANDS,
    *check.COMMANDS,
    *downsample.COMMANDS,
    *prepare.COMMANDS,
    *plan.COMMANDS,
    *backproject.COMMANDS,
)

_OF_MODELS: Final = (
    *train.HETEROGENEOUS,
    *classify.COMMANDS,
    *train.HOMOGENEOUS,
)

_OF_RUNS: Final = (
    *convergence.COMMANDS,
    Command(
        name="eval_vol",
        summary="Decode volumes from a trained model.",
        details="Give the weights as an argument or with -w, and the latents with one of -z, "
        "--z-start and --z-end, or --zfile; a model of one structure takes none.",
        takes="run",
        function=f"{_VERBS}.volumes:evaluate_volumes",
        spec=f"{_SPECS}.volumes:VolumesSpec",
        options=f"{_OF_RESULTS}:VOLUME_OPTIONS",
    ),
    *eval_images.COMMANDS,
    Command(
        name="analyze",
        summary="Look at the latents of a run: components, clusters, volumes and pictures.",
        details="RUN is the run directory of train_vae or train_linear, EPOCH the epoch to look "
        "at, counted from 0. Writes to RUN/analyze.<epoch>; a second call replaces the results of "
        "the first.",
        takes="run",
        function=f"{_VERBS}.analyze:analyze",
        spec=f"{_SPECS}.analysis:AnalysisSpec",
        options="tomodrgn.core.cli.analysis_options:ANALYSIS_OPTIONS",
    ),
    *traversals.COMMANDS,
    *volumes.COMMANDS,
    *validate.COMMANDS,
    *confounds.COMMANDS,
    *filter_star.COMMANDS,
    *mapback.COMMANDS,
    *export.COMMANDS,
    *score.COMMANDS,
    *view_config.COMMANDS,
    *cleanup.COMMANDS,
)

_OF_THE_PROGRAM: Final = (
    Command(
        name="run",
        summary="Run the steps of a pipeline file.",
        click="tomodrgn.core.cli.cmd_run:run",
    ),
    Command(
        name="plugins",
        summary="Inspect installed plugins.",
        click="tomodrgn.core.cli.cmd_plugins:plugins",
    ),
)
