"""Commands that are built in, offered like those of anybody else.

Help shows them in this order, in which a user meets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.hookspecs import hookimpl
from tomodrgn.plugins.commands import (
    analyze,
    backproject,
    check,
    classify,
    cleanup,
    confounds,
    convergence,
    downsample,
    eval_images,
    eval_vol,
    export,
    filter_star,
    mapback,
    plan,
    plugins,
    prepare,
    run,
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

    from tomodrgn.core.command import Command


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
    *eval_vol.COMMANDS,
    *eval_images.COMMANDS,
    *analyze.COMMANDS,
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
    *run.COMMANDS,
    *plugins.COMMANDS,
)
