from __future__ import annotations

from tests.core.inspection.conftest import opened, particles, sample, star  # noqa: F401
