"""One function per verb: prepare, train, analyze, score and so on, each in a module of its own.

Commands import the verb that they call, and nothing else: torch, pandas and matplotlib take
seconds to import. The work is done in the rooms below.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_VERBS: Final = {
    "analyze": "tomodrgn.core.pipeline.analyze:analyze",
    "analyze_volumes": "tomodrgn.core.pipeline.analyze_volumes:analyze_volumes",
    "backproject_voxel": "tomodrgn.core.pipeline.reconstruct:reconstruct",
    "classify": "tomodrgn.core.pipeline.classify:classify",
    "cleanup": "tomodrgn.core.pipeline.cleanup:cleanup",
    "convergence_nn": "tomodrgn.core.pipeline.convergence_nn:convergence_nn",
    "convergence_vae": "tomodrgn.core.pipeline.convergence_vae:convergence_vae",
    "downsample": "tomodrgn.core.pipeline.downsample:downsample",
    "eval_images": "tomodrgn.core.pipeline.eval_images:evaluate_images",
    "eval_vol": "tomodrgn.core.pipeline.volumes:evaluate_volumes",
    "export": "tomodrgn.core.pipeline.export:export",
    "filter_star": "tomodrgn.core.pipeline.filter:filter_star",
    "graph_traversal": "tomodrgn.core.pipeline.traversals:graph_traversal",
    "nuisance": "tomodrgn.core.pipeline.nuisance:nuisance",
    "pc_traversal": "tomodrgn.core.pipeline.traversals:pc_traversal",
    "prepare": "tomodrgn.core.pipeline.prepare:prepare",
    "score": "tomodrgn.core.pipeline.score:score",
    "simulate": "tomodrgn.core.simulation.tilt_series:simulate",
    "subtomo2chimerax": "tomodrgn.core.pipeline.mapback:map_back",
    "train_linear": "tomodrgn.core.pipeline.linear:train_linear",
    "train_nn": "tomodrgn.core.pipeline.train:train",
    "train_vae": "tomodrgn.core.pipeline.train:train",
    "validate": "tomodrgn.core.pipeline.validate:validate",
    "view_config": "tomodrgn.core.pipeline.view_config:view_config",
}


def verb(command: str) -> Callable[..., Any]:
    """The function that does the work of a command."""
    module, function = _VERBS[command].split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
