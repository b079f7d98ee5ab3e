"""The version of the program, below everything that states it."""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"
