"""How the program was called, for logs and manifests: words of a command line, or a Python call."""

from __future__ import annotations

import contextlib
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from tomodrgn.core.quoting import shell_words

if TYPE_CHECKING:
    from collections.abc import Iterator

_CALL: Final[ContextVar[str | None]] = ContextVar("call", default=None)


@contextlib.contextmanager
def called_as(call: str) -> Iterator[None]:
    """Let the block be recorded as a Python call."""
    token = _CALL.set(call)
    try:
        yield
    finally:
        _CALL.reset(token)


def words_of_call() -> list[str]:
    """The words of the command line, or the one Python call."""
    call = _CALL.get()
    return sys.argv if call is None else [call]


def text_of_call() -> str:
    """The same as one text."""
    call = _CALL.get()
    return shell_words(sys.argv) if call is None else call
