"""tomodrgn: structural heterogeneity in cryo-ET particles from their tilt series."""

from __future__ import annotations

__version__ = "0.1.0"
