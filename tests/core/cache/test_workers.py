"""Processes that fill a cache: what the system has to offer for it."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from tomodrgn.core.cache.workers import _event
from tomodrgn.core.errors import CacheError


def test_a_system_without_shared_memory_is_told() -> None:
    def no_memory() -> None:
        raise OSError(errno.ENOENT, "No such file or directory")  # as sem_open without /dev/shm

    with pytest.raises(CacheError, match=r"shm is missing, full or closed.*--processes 1"):
        _event(SimpleNamespace(Event=no_memory))  # type: ignore[arg-type]
