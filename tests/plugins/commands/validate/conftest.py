from __future__ import annotations

from tests.core.reconstruction.conftest import recorded, simulation  # noqa: F401
