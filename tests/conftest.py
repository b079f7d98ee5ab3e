"""Shared by all tests: the contract kit's plugin, and one thread per process."""

from __future__ import annotations

import os

pytest_plugins = ["tomodrgn.core.testing.pytest_plugin"]

os.environ.setdefault("OMP_NUM_THREADS", "1")
