"""All that notebooks about an analysis import: ``from tomodrgn.notebook import outliers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tomodrgn.core.notebook.analysis import NotebookAnalysis, load_analysis
    from tomodrgn.core.notebook.saving import load_selection, save_selection
    from tomodrgn.core.notebook.selections import (
        Selection,
        add_kmeans,
        add_mixture,
        cloud_distance,
        everything,
        in_tomogram,
        inside_outline,
        outliers,
        select_range,
        select_rows,
        select_values,
    )
    from tomodrgn.core.notebook.views import Lasso, lasso, show_latents, show_tomogram

_ROOMS: Final = {
    "NotebookAnalysis": "analysis",
    "load_analysis": "analysis",
    "load_selection": "saving",
    "save_selection": "saving",
    "Selection": "selections",
    "add_kmeans": "selections",
    "add_mixture": "selections",
    "cloud_distance": "selections",
    "everything": "selections",
    "in_tomogram": "selections",
    "inside_outline": "selections",
    "outliers": "selections",
    "select_range": "selections",
    "select_rows": "selections",
    "select_values": "selections",
    "Lasso": "views",
    "lasso": "views",
    "show_latents": "views",
    "show_tomogram": "views",
}

__all__ = [
    "Lasso",
    "NotebookAnalysis",
    "Selection",
    "add_kmeans",
    "add_mixture",
    "cloud_distance",
    "everything",
    "in_tomogram",
    "inside_outline",
    "lasso",
    "load_analysis",
    "load_selection",
    "outliers",
    "save_selection",
    "select_range",
    "select_rows",
    "select_values",
    "show_latents",
    "show_tomogram",
]


def __getattr__(name: str) -> Any:
    """What is listed, imported when it is first asked for, as pictures bring matplotlib."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'tomodrgn.notebook' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"tomodrgn.core.notebook.{_ROOMS[name]}"), name)
