"""One function per verb: prepare, train, downsample, evaluate volumes, simulate, score.

Commands and scripts call these; the work is done in the rooms below.
"""

from __future__ import annotations

from tomodrgn.core.pipeline.analyze import analyze
from tomodrgn.core.pipeline.analyze_volumes import analyze_volumes
from tomodrgn.core.pipeline.classify import classify
from tomodrgn.core.pipeline.cleanup import cleanup
from tomodrgn.core.pipeline.convergence_nn import convergence_nn
from tomodrgn.core.pipeline.convergence_vae import convergence_vae
from tomodrgn.core.pipeline.downsample import downsample
from tomodrgn.core.pipeline.eval_images import evaluate_images
from tomodrgn.core.pipeline.export import export
from tomodrgn.core.pipeline.filter import filter_star
from tomodrgn.core.pipeline.linear import train_linear
from tomodrgn.core.pipeline.mapback import map_back
from tomodrgn.core.pipeline.nuisance import nuisance
from tomodrgn.core.pipeline.prepare import prepare
from tomodrgn.core.pipeline.reconstruct import reconstruct
from tomodrgn.core.pipeline.score import score
from tomodrgn.core.pipeline.train import train
from tomodrgn.core.pipeline.traversals import graph_traversal, pc_traversal
from tomodrgn.core.pipeline.validate import validate
from tomodrgn.core.pipeline.view_config import view_config
from tomodrgn.core.pipeline.volumes import evaluate_volumes
from tomodrgn.core.simulation.tilt_series import simulate

__all__ = [
    "analyze",
    "analyze_volumes",
    "classify",
    "cleanup",
    "convergence_nn",
    "convergence_vae",
    "downsample",
    "evaluate_images",
    "evaluate_volumes",
    "export",
    "filter_star",
    "graph_traversal",
    "map_back",
    "nuisance",
    "pc_traversal",
    "prepare",
    "reconstruct",
    "score",
    "simulate",
    "train",
    "train_linear",
    "validate",
    "view_config",
]
