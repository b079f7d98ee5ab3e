from __future__ import annotations

from tests.core.conftest import make_plugins, registry  # noqa: F401
