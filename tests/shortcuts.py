"""What takes most of the time of a small run and is looked at by few tests.

* Nothing waits for the disk: files are written as before, and ``os.fsync`` returns at once. What it
  guards against, a loss of power, no test can bring about.
* Pictures are drawn, but not rendered: a picture of one pixel takes their place. Tests that look at
  pictures ask for the fixture ``rendered``; every kind of picture is rendered by some of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import IOBase
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

RENDER: Final = "TOMODRGN_TESTS_RENDER"
"""Variable of the environment that is set where pictures are rendered."""

_STAND_INS: Final = {
    "png": bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c63f80f0001010100b138f6140000000049454e44ae426082"
    ),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
}
_render = Figure.savefig


@contextmanager
def rendering() -> Iterator[None]:
    """Pictures are rendered while the block runs, in processes that it starts, too."""
    os.environ[RENDER] = "1"
    try:
        yield
    finally:
        del os.environ[RENDER]


def take() -> None:
    """Take both, for the rest of this process and those forked from it."""
    os.fsync = _trust
    Figure.savefig = _sketch  # type: ignore[method-assign]


def _trust(_descriptor: int) -> None:
    """Take a file for written."""


def _sketch(figure: Figure, file: Any, **options: Any) -> None:
    content = _STAND_INS.get(options.get("format", "png"))
    if content is None or os.environ.get(RENDER):
        _render(figure, file, **options)
    elif isinstance(file, IOBase):
        file.write(content)
    else:
        Path(file).write_bytes(content)
