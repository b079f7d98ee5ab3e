"""Errors that a user can cause or cure; each says where, what was found, and the way out."""

from __future__ import annotations


class TomodrgnError(Exception):
    """Root of every error raised on purpose; shown as one line, exit code 1."""


class PluginError(TomodrgnError):
    """A plugin could not be loaded, or breaks the contract of its family."""


class SpecError(TomodrgnError):
    """A run spec does not describe a run."""


class DataError(TomodrgnError):
    """An input file or array is not what the computation needs."""


class CacheError(TomodrgnError):
    """A cache of prepared images is stale, foreign or incomplete."""


class RunError(TomodrgnError):
    """A run cannot start, go on or be read."""


class OutputError(TomodrgnError, OSError):
    """A file or folder cannot be written."""
