"""The files that a run directory may hold, each name written once.

Names that one command alone writes and reads stay with it; here are those by which commands find
the work of others.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

RUN_SPEC: Final = "run.yaml"
"""The resolved run spec."""
MANIFEST: Final = "manifest.json"
"""What made the run, and facts of its data set."""
CONFIG: Final = "config.pkl"
"""The same for classic tools; never read."""
LOG: Final = "run.log"
CACHE: Final = "cache.h5"
WEIGHTS: Final = "weights.pkl"
LATENTS: Final = "z.pkl"
COVARIANCE: Final = "z_covariance.npy"
INTERRUPTED: Final = "interrupted.pkl"
"""The state of a run that was stopped."""
MEAN_MAP: Final = "reconstruct.mrc"
"""The consensus map, or the one structure."""
REFINED_PARTICLES: Final = "refined.star"
"""The input with refined poses; files of a set beside it begin with the same name."""
REFINED_POSES: Final = "refined_poses.star"
"""Corrections of the pose and contrast of each particle."""
REFINED_TILTS: Final = "refined_tilts.star"
"""Corrections that all images of an exposure share."""
OUTLIERS: Final = "outliers.star"
"""Whether each particle is one, and how well its images fit the maps."""
OUTLIER_TILTS: Final = "outlier_tilts.star"
"""The same of exposures."""
GROUPS: Final = "groups.txt"
"""A name for each particle of the input: what it is taken for."""
METRICS: Final = "metrics.jsonl"
HELD_OUT: Final = "held_out.jsonl"
ACTIVITY: Final = "activity.jsonl"
DAMAGED_IMAGES: Final = "damaged_images.txt"
LINEAR: Final = "linear.json"
"""Figures of ``train_linear``."""
SUBSPACE: Final = "subspace.json"
"""Figures of a model in a subspace, and what encoding further particles needs."""
CLASSES: Final = "classify.json"
"""Figures of ``classify``."""
LABELS: Final = "labels.pkl"
"""A class of each particle: of ``classify`` and, in folders below, of clusterings."""
LABEL_RECORDS: Final = "labels.jsonl"
"""Which labels came from the run, by their digest."""
POSTERIOR: Final = "posterior.npy"
"""(B, K) probability of each class of each particle."""
CONFOUNDS: Final = PurePath("nuisance", "nuisance.json")
"""What explains the latent besides structure."""
CONFOUNDS_PICTURE: Final = CONFOUNDS.with_suffix(".png")
ANALYSIS: Final = "analysis.json"
"""What ``analyze`` found, in its folder."""
UMAP: Final = "umap.pkl"
"""(B, 2) places of latents on a UMAP, in the folder of ``analyze``."""
TRAINING_CURVES: Final = "training_curves.png"
REPORT: Final = "report.html"
EXPORTS: Final = "exports"
"""Folder with one folder per exporter."""
LINEAR_START: Final = "linear"
"""Folder with the linear model that a network began with."""

FIGURES: Final = (LINEAR, CLASSES, f"{LINEAR_START}/{LINEAR}")
"""Where a run tells whether its latents or classes, or those it began with, mean anything."""
CLUSTERINGS: Final = ("analyze*/kmeans*", "analyze*/gmm*")
"""Folders of clusterings, each with ``labels.pkl``."""

RESULTS: Final = re.compile(
    r"(weights(\.\d+)?|z(\.\d+)?(\.train|\.test)?|interrupted)\.pkl"
    r"|(reconstruct(\.\d+)?(_half[12])?|basis_\d{3,})\.mrc"
    r"|z_covariance\.npy|(metrics|held_out|activity)\.jsonl|(linear|subspace)\.json"
    r"|labels\.pkl|posterior\.npy|classify\.json|class_\d+(_half[12])?\.mrc"
    r"|refined_(poses|tilts)\.star|outliers\.star|outlier_tilts\.star|groups\.txt"
    r"|class_(\d+_)?FSC\.\w+|class_\d+\.\w*fsc\w*"
)
"""Whole names of the results of a run: where one of them lies, there is a run. Names that only look
alike, such as ``z.mine.pkl``, are those of users."""

DESCRIPTIONS: Final = re.compile(
    r"run\.yaml|manifest\.json|config\.pkl|damaged_images\.txt|report\.html"
    r"|(weighting_scheme_\w+|training_curves)\.png"
)
"""Whole names of what else a run writes."""


def weights_of(epoch: int) -> str:
    """File of the weights after an epoch, counted from 0."""
    return f"weights.{epoch}.pkl"


def latents_of(epoch: int) -> str:
    """File of the latents after an epoch, counted from 0."""
    return f"z.{epoch}.pkl"
