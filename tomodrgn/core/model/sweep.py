"""Forward and backward through a residual MLP in one go, block by block.

Training needs an answer only to compare it with what was observed, so a block of rows goes up
through all layers, meets its loss, and comes down again before the next block begins. Activations
never leave the cache of a processor core, and every block of a size reuses the same buffers. The
plain twin is automatic differentiation of :meth:`ResidualMlp.forward`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tomodrgn.core.interfaces import SweepGradients
from tomodrgn.core.model.mlp import activate_, block_rows, through_activation_
from tomodrgn.core.model.scripted import scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tomodrgn.core.model.mlp import ResidualMlp

    AnswerGradient = Callable[[slice, Tensor], Tensor]
    """Rows and their answers (n, out) to the derivative of the loss by these answers (n, out)."""


class MlpSweep:
    """Collects the gradients of a residual MLP over any number of rows.

    Args:
        mlp: the layers; their weights are taken as they are now.
        condition: (B, C) last input columns, shared by the rows of a particle, or None.
    """

    def __init__(self, mlp: ResidualMlp, condition: Tensor | None) -> None:
        self._slope = mlp.slope
        self._condition = condition
        self._weights, self._biases = mlp.folded_layers()
        n_features = self._weights[0].shape[1] - (0 if condition is None else condition.shape[1])
        self._of_condition = self._weights[0][:, n_features:]
        self._weights[0] = self._weights[0][:, :n_features]
        if condition is None:
            self._shared = self._biases[0][None]
        else:
            self._shared = functional.linear(condition, self._of_condition, self._biases[0])
        self._to_shared = torch.zeros_like(self._shared)
        self._to_weights = [torch.zeros_like(weight) for weight in self._weights]
        self._to_biases = [torch.zeros_like(bias) for bias in self._biases[1:]]
        self._buffers: dict[int, _Buffers] = {}

    def add(self, features: Tensor, owner: Tensor, answer_gradient: AnswerGradient) -> None:
        """Add the rows ``features`` (N, F), each with the condition of its ``owner`` (N,)."""
        if self._condition is None:
            owner = torch.zeros_like(owner)
        n_rows, start = block_rows(len(features)), 0
        for inputs, owners in zip(features.split(n_rows), owner.split(n_rows), strict=True):
            buffers = self._buffers_of(len(inputs))
            up(
                inputs,
                owners,
                shared=self._shared,
                weights=self._weights,
                biases=self._biases,
                hidden=buffers.hidden,
                slope=self._slope,
            )
            down(
                answer_gradient(slice(start, start + len(inputs)), buffers.hidden[-1]),
                inputs,
                owners,
                weights=self._weights,
                hidden=buffers.hidden,
                passed=buffers.passed,
                to_weights=self._to_weights,
                to_biases=self._to_biases,
                to_shared=self._to_shared,
                ones=buffers.ones,
                slope=self._slope,
            )
            start += len(inputs)

    def finish(self) -> SweepGradients:
        """The gradients of all rows that were added; the latent is the condition."""
        to_first, to_bias = self._to_weights[0], self._to_shared.sum(0)
        to_condition = None
        if self._condition is not None:
            of_condition = self._to_shared.t() @ self._condition
            to_first = torch.cat([to_first, of_condition], dim=1)
            to_condition = self._to_shared @ self._of_condition
        others = zip(self._to_weights[1:], self._to_biases, strict=True)
        parameters = [to_first, to_bias, *(tensor for pair in others for tensor in pair)]
        return SweepGradients(parameters, to_condition)

    def _buffers_of(self, n_rows: int) -> _Buffers:
        """The buffers for blocks of some size."""
        if n_rows not in self._buffers:
            widths = [len(weight) for weight in self._weights]
            self._buffers[n_rows] = _Buffers(n_rows, widths, self._shared)
        return self._buffers[n_rows]


def _up(
    features: Tensor,
    owner: Tensor,
    *,
    shared: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    hidden: list[Tensor],
    slope: float,
) -> None:
    """Fill ``hidden`` with the activations of a block; the last of them are its answers."""
    below = hidden[0]
    torch.index_select(shared, 0, owner, out=below)
    below.addmm_(features, weights[0].t())
    for layer in range(1, len(weights)):
        activate_(below, slope)
        torch.addmm(biases[layer], below, weights[layer].t(), out=hidden[layer])
        below = hidden[layer]


def _down(
    gradient: Tensor,
    features: Tensor,
    owner: Tensor,
    *,
    weights: list[Tensor],
    hidden: list[Tensor],
    passed: list[Tensor],
    to_weights: list[Tensor],
    to_biases: list[Tensor],
    to_shared: Tensor,
    ones: Tensor,
    slope: float,
) -> None:
    """Add the gradients of a block whose activations are in ``hidden``."""
    for layer in range(len(weights) - 1, 0, -1):
        transposed = gradient.t()
        to_biases[layer - 1].addmv_(transposed, ones)
        to_weights[layer].addmm_(transposed, hidden[layer - 1])
        torch.mm(gradient, weights[layer], out=passed[layer - 1])
        gradient = passed[layer - 1]
        through_activation_(gradient, hidden[layer - 1], slope)
    to_weights[0].addmm_(gradient.t(), features)
    to_shared.index_add_(0, owner, gradient)


up, down = scripted(_up), scripted(_down)


class _Buffers:
    """Activations and their gradients for blocks of ``n_rows``.

    Layers take turns with two buffers for the gradient: what fits the cache is read fastest. The
    few columns of the answers lie one after another, which is how a product fills them fastest.
    """

    def __init__(self, n_rows: int, widths: Sequence[int], like: Tensor) -> None:
        self.ones = like.new_ones(n_rows)
        *inner, n_answers = widths
        self.hidden = [like.new_empty(n_rows, width) for width in inner]
        self.hidden.append(like.new_empty(n_answers, n_rows).t())
        two = like.new_empty(2, n_rows * max(widths))
        self.passed = [
            two[layer % 2, : n_rows * width].view(n_rows, width)
            for layer, width in enumerate(widths)
        ]
