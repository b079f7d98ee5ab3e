from __future__ import annotations

from tests.core.simulation.conftest import altered, small_spec  # noqa: F401
