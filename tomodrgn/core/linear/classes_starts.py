"""Where classes start from: the latents of a linear model, those of any run, or chance.

Every start tries several times and keeps what explains the images best. Particles are drawn by
their keys, so that the order of their rows does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

from tomodrgn.core.linear.classes_halves import class_weights, shares_of
from tomodrgn.core.linear.classes_held_out import held_out_gains
from tomodrgn.core.linear.passes import noise_precision
from tomodrgn.core.particles.keyed_random import keyed_uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.classes_halves import ClassHalves
    from tomodrgn.core.linear.classes_passes import ClassPass
    from tomodrgn.core.linear.latents import LatentTerms

_POINT_RESTARTS: Final = 20
MAP_RESTARTS: Final = 8
_MIN_CLASSES: Final = 2
_POINT_ROUNDS: Final = 50
_POINT_SETTLED: Final = 1e-4
_ANNEALING_ROUNDS: Final = 12
_FINAL_ROUNDS: Final = 4
_SEARCHED_PARTICLES: Final = 4096
"""Particles among which the points of classes are searched for; all are assigned to them."""


def start_from_terms(
    terms: LatentTerms, keys: NDArray[np.uint64], n_classes: int, seed: int
) -> Tensor:
    """(B, K) shares in classes that are points in latent space.

    What the images of a particle say of its latent is what they say of each point; nothing has to
    be looked at again.

    Args:
        terms: of B particles, in one frame.
        keys: (B,) of the particles.
        n_classes: K.
        seed: of the points that are tried first.
    """
    matrix, vector = terms.matrix.sum(1).double(), terms.vector.sum(1).double()
    some = torch.from_numpy(np.argsort(keys)[:_SEARCHED_PARTICLES].copy()).to(vector.device)
    means = terms.posterior().mean.double()[some]
    tries = []
    for restart in range(_POINT_RESTARTS):
        draws = keyed_uniform(seed, "class points", restart, keys, n_classes)
        draw = torch.from_numpy(draws).to(means)[some]
        points = spread_points(means, draw)
        tries.append(_fit_points(matrix[some], vector[some], points))
    points, weights, _ = max(tries, key=lambda found: found[2])
    return shares_of(point_gains(matrix, vector, points), weights[None]).float()


def start_from_rare(
    terms: LatentTerms, rare: Tensor, keys: NDArray[np.uint64], n_classes: int, seed: int
) -> Tensor:
    """(B, K) shares in a class of what is rare, and others as :func:`start_from_terms` has them.

    Args:
        terms: of B particles, in one frame.
        rare: (B,) probability of each to be of a rare state.
        keys: (B,) of the particles.
        n_classes: K.
        seed: of the points that are tried first.
    """
    apart = rare.to(terms.vector)[:, None]
    rest = torch.ones_like(apart)
    if n_classes > _MIN_CLASSES:
        rest = start_from_terms(terms, keys, n_classes - 1, seed)
    return torch.cat([(1 - apart) * rest, apart], dim=1).float()


def spread_points(values: Tensor, draws: Tensor) -> Tensor:
    """(K, Z) of the values (B, Z), far from each other by chance.

    Args:
        values: to choose from.
        draws: (B, K) uniform in [0, 1), one column for each choice.

    Source:
        Arthur & Vassilvitskii 2007 (k-means++), drawn with Gumbel numbers: Yellott 1977,
        doi:10.1016/0022-2496(77)90026-8.
    """
    gumbel = -(-draws.clamp(1e-12, 1 - 1e-12).log()).log()
    chosen = [values[int(gumbel[:, 0].argmax())]]
    for column in gumbel.T[1:]:
        distance = torch.stack([(values - point).square().sum(1) for point in chosen]).amin(0)
        chosen.append(values[int((distance.clamp_min(1e-30).log() + column).argmax())])
    return torch.stack(chosen)


def point_gains(matrix: Tensor, vector: Tensor, points: Tensor) -> Tensor:
    """(B, K) log likelihood of latents at points (K, Z), over that at 0."""
    quadratic = torch.einsum("kz,bzy,ky->bk", points, matrix, points)
    return vector @ points.T - 0.5 * quadratic


def _fit_points(matrix: Tensor, vector: Tensor, points: Tensor) -> tuple[Tensor, Tensor, float]:
    """Points and weights of greatest likelihood near a start, and the mean log likelihood."""
    n_classes, size = points.shape
    weights = points.new_full((n_classes,), 1 / n_classes)
    identity = torch.eye(size, dtype=points.dtype, device=points.device)
    before = -np.inf
    for _ in range(_POINT_ROUNDS):
        scores = point_gains(matrix, vector, points) + weights.log()
        likelihood = float(torch.logsumexp(scores, 1).mean())
        shares = torch.softmax(scores, 1)
        weights = class_weights(shares, n_classes)[0]
        sums = torch.einsum("bk,bzy->kzy", shares, matrix) + identity  # a standard normal prior
        points = torch.linalg.solve(sums, shares.T @ vector)
        if likelihood - before < _POINT_SETTLED:
            break
        before = likelihood
    return points, weights, likelihood


def start_from_latents(
    latents: NDArray[np.floating], keys: NDArray[np.uint64], n_classes: int, seed: int
) -> Tensor:
    """(B, K) shares, all or nothing, in the clusters of latents (B, Z)."""
    from sklearn.cluster import KMeans

    order = np.argsort(keys)
    model = KMeans(n_classes, n_init=_POINT_RESTARTS, random_state=seed % 2**32)
    labels = np.empty(len(latents), dtype=np.int64)
    labels[order] = model.fit_predict(np.asarray(latents, dtype=np.float64)[order])
    return torch.nn.functional.one_hot(torch.from_numpy(labels), n_classes).float()


def start_from_chance(
    halves: ClassHalves, keys: NDArray[np.uint64], n_classes: int, seed: int
) -> Tensor:
    """(B, K) shares in classes that began with random members, in each half by itself.

    Several models are annealed side by side. The one whose maps predict held-out tilts of the other
    half best is kept, and the classes of both halves are brought together by whom they attract.

    Args:
        halves: of B particles.
        keys: (B,) of the particles.
        n_classes: K.
        seed: of the first members.
    """
    draws = keyed_uniform(seed, "class members", 0, keys, MAP_RESTARTS)
    members = torch.from_numpy((draws * n_classes).astype(np.int64)).to(halves.images.device)
    models = _begin(halves, torch.nn.functional.one_hot(members, n_classes).flatten(1).float())
    passes = halves.passes(*models, collect=False)
    spread = torch.cat([each.gains.sum(1).unflatten(1, (-1, n_classes)) for each in passes])
    hottest = max(1.0, float((spread - spread.mean(2, keepdim=True)).square().mean()) ** 0.5)
    for step in range(_ANNEALING_ROUNDS + _FINAL_ROUNDS):
        cooled = min(1.0, step / _ANNEALING_ROUNDS)
        passes = halves.passes(*models, temperature=hottest ** (1 - cooled))
        models = _improved(halves, passes, n_classes)
    return _matched(halves, models)


class _Models(NamedTuple):
    """Several models of each half, side by side: what a pass over the halves needs."""

    maps: Tensor  # (2, 1 + models * K, D, D, D)
    precision: Tensor  # (shells,)
    weights: Tensor  # (2, models, K)


def _begin(halves: ClassHalves, shares: Tensor) -> _Models:
    """Maps of random members (B, models * K)."""
    n_classes = shares.shape[1] // MAP_RESTARTS
    precision = noise_precision(halves.sums_of(shares), halves.window_power)
    return _improved(halves, halves.sums_of(shares, precision), n_classes)


def _improved(halves: ClassHalves, passes: list[ClassPass], n_classes: int) -> _Models:
    maps, _, _ = halves.solve([each.collected() for each in passes], is_start=True)
    weights = torch.stack(
        [
            class_weights(each.shares, n_classes, halves.images.weights_of(rows))
            for each, rows in zip(passes, halves.rows, strict=True)
        ]
    )
    return _Models(maps, noise_precision(passes, halves.window_power), weights)


def _matched(halves: ClassHalves, models: _Models) -> Tensor:
    """(B, K) shares in the classes of the best model of either half, numbered as in the first."""
    n_classes = models.weights.shape[2]
    swapped = _Models(models.maps.flip(0), models.precision, models.weights.flip(0))
    own, other = (halves.passes(*each, collect=False) for each in (models, swapped))
    best = [
        int(held_out_gains(each.gains, weights).mean(0).argmax())
        for each, weights in zip(other, swapped.weights, strict=True)
    ][::-1]  # of the model of half 0, then of half 1

    def shares(passes: list[ClassPass], half: int, model: int) -> Tensor:
        found: Tensor = passes[half].shares.unflatten(1, (-1, n_classes))[:, model]
        return found

    first = torch.cat([shares(own, 0, best[0]), shares(other, 1, best[0])])
    second = torch.cat([shares(other, 0, best[1]), shares(own, 1, best[1])])
    _, partner = linear_sum_assignment((first.T @ second).cpu().numpy(), maximize=True)
    mine = shares(own, 0, best[0]), shares(own, 1, best[1])[:, torch.from_numpy(partner)]
    return halves.in_order(mine)
