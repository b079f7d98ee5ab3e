"""Functions on tensors that run without Python's interpreter, so that threads do not wait for it.

Two threads of one interpreter take turns for every call, which costs small products a tenth of
their time. A scripted function enters once and leaves the interpreter to others until it returns.
Where scripting is not offered (it ends with some later version of Python or torch), the plain
function serves; both are written once and give the same numbers.
"""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

Parameters = ParamSpec("Parameters")
ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)


def scripted(function: Callable[Parameters, ResultT]) -> Callable[Parameters, ResultT]:
    """The function as torch's script, or itself where that is not to be had."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            script: Callable[Parameters, ResultT] = torch.jit.script(function)
    except Exception as error:  # noqa: BLE001  torch says in many ways that it cannot
        logger.debug("%s runs as plain Python: %s", function.__qualname__, error)
        return function
    return script
