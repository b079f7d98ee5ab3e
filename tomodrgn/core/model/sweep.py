"""Forward and backward through a residual MLP in one go, block by block.

Training needs an answer only to compare it with what was observed, so a block of rows goes up
through all layers, meets its loss, and comes down again before the next block begins. Activations
never leave the cache of a processor core, and every block reuses the same buffers. The plain twin
is automatic differentiation of :meth:`ResidualMlp.forward`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tomodrgn.core.interfaces import SweepGradients
from tomodrgn.core.model.mlp import BLOCK, through_activation

if TYPE_CHECKING:
    from collections.abc import Callable

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
        widths = [len(weight) for weight in self._weights]
        self._hidden = [self._shared.new_empty(BLOCK, width) for width in widths]
        self._passed = [self._shared.new_empty(BLOCK, width) for width in widths]

    def add(self, features: Tensor, owner: Tensor, answer_gradient: AnswerGradient) -> None:
        """Add the rows ``features`` (N, F), each with the condition of its ``owner`` (N,)."""
        if self._condition is None:
            owner = torch.zeros_like(owner)
        for start in range(0, len(features), BLOCK):
            rows = slice(start, min(start + BLOCK, len(features)))
            answers = self._up(features[rows], owner[rows])
            self._down(features[rows], owner[rows], answer_gradient(rows, answers))

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

    def _up(self, features: Tensor, owner: Tensor) -> Tensor:
        """Answers of a block; its activations stay in the buffers."""
        n = len(features)
        hidden = self._hidden[0][:n]
        torch.index_select(self._shared, 0, owner, out=hidden)
        hidden.addmm_(features, self._weights[0].t())
        for layer in range(1, len(self._weights)):
            functional.leaky_relu_(hidden, self._slope)
            above = self._hidden[layer][:n]
            torch.addmm(self._biases[layer], hidden, self._weights[layer].t(), out=above)
            hidden = above
        return hidden

    def _down(self, features: Tensor, owner: Tensor, gradient: Tensor) -> None:
        """Add the gradients of a block whose activations are in the buffers."""
        n, passed = len(features), gradient
        for layer in range(len(self._weights) - 1, 0, -1):
            below = self._hidden[layer - 1][:n]
            self._to_biases[layer - 1] += passed.sum(0)
            self._to_weights[layer].addmm_(passed.t(), below)
            passed_on = self._passed[layer - 1][:n]
            torch.mm(passed, self._weights[layer], out=passed_on)
            through_activation(passed_on, below, self._slope)
            passed = passed_on
        self._to_weights[0].addmm_(passed.t(), features)
        self._to_shared.index_add_(0, owner, passed)
