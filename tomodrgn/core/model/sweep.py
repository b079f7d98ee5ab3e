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
        self._transposed = [weight.t() for weight in self._weights]
        self._buffers: dict[int, _Buffers] = {}

    def add(self, features: Tensor, owner: Tensor, answer_gradient: AnswerGradient) -> None:
        """Add the rows ``features`` (N, F), each with the condition of its ``owner`` (N,)."""
        if self._condition is None:
            owner = torch.zeros_like(owner)
        n_rows, start = block_rows(len(features)), 0
        for inputs, owners in zip(features.split(n_rows), owner.split(n_rows), strict=True):
            buffers = self._buffers_of(len(inputs))
            answers = self._up(buffers, inputs, owners)
            gradient = answer_gradient(slice(start, start + len(inputs)), answers)
            self._down(buffers, inputs, owners, gradient)
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

    def _up(self, buffers: _Buffers, features: Tensor, owner: Tensor) -> Tensor:
        """Answers of a block; its activations stay in the buffers."""
        hidden = buffers.hidden[0]
        torch.index_select(self._shared, 0, owner, out=hidden)
        hidden.addmm_(features, self._transposed[0])
        for layer, above in enumerate(buffers.hidden[1:], 1):
            activate_(hidden, self._slope)
            torch.addmm(self._biases[layer], hidden, self._transposed[layer], out=above)
            hidden = above
        return hidden

    def _down(self, buffers: _Buffers, features: Tensor, owner: Tensor, gradient: Tensor) -> None:
        """Add the gradients of a block whose activations are in the buffers."""
        passed, transposed = gradient, gradient.t()
        for layer in range(len(self._weights) - 1, 0, -1):
            below = buffers.hidden[layer - 1]
            self._to_biases[layer - 1].addmv_(transposed, buffers.ones)
            self._to_weights[layer].addmm_(transposed, below)
            passed_on = buffers.passed[layer - 1]
            torch.mm(passed, self._weights[layer], out=passed_on)
            through_activation_(passed_on, below, self._slope)
            passed, transposed = passed_on, buffers.passed_transposed[layer - 1]
        self._to_weights[0].addmm_(transposed, features)
        self._to_shared.index_add_(0, owner, passed)


class _Buffers:
    """Activations and their gradients for blocks of ``n_rows``.

    Layers take turns with two buffers for the gradient: what fits the cache is read fastest.
    """

    def __init__(self, n_rows: int, widths: Sequence[int], like: Tensor) -> None:
        self.ones = like.new_ones(n_rows)
        self.hidden = [like.new_empty(n_rows, width) for width in widths]
        two = like.new_empty(2, n_rows * max(widths))
        self.passed = [
            two[layer % 2, : n_rows * width].view(n_rows, width)
            for layer, width in enumerate(widths)
        ]
        self.passed_transposed = [passed.t() for passed in self.passed]
