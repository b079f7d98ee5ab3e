"""Forward and backward through a residual MLP in one go, block by block.

Training needs an answer only to compare it with what was observed, so a block of rows goes up
through all layers, meets its loss, and comes down again before the next block begins. A block has a
lane of rows for every core: products are batched over lanes, so that each core multiplies matrices
of its own, which its cache holds from layer to layer. Every block of a size uses the same buffers.
The plain twin is automatic differentiation of :meth:`ResidualMlp.forward`.
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
        n_lanes: L, by default the CPU threads that torch may use.
    """

    def __init__(
        self, mlp: ResidualMlp, condition: Tensor | None, n_lanes: int | None = None
    ) -> None:
        self._slope = mlp.slope
        self._condition = condition
        self._n_lanes = n_lanes or torch.get_num_threads()
        weights, self._biases = mlp.folded_layers()
        n_features = weights[0].shape[1] - (0 if condition is None else condition.shape[1])
        self._of_condition = weights[0][:, n_features:]
        weights[0] = weights[0][:, :n_features]
        if condition is None:
            self._shared = self._biases[0][None]
        else:
            self._shared = functional.linear(condition, self._of_condition, self._biases[0])
        self._widths = [len(weight) for weight in weights]
        self._weights = [weight.expand(self._n_lanes, -1, -1) for weight in weights]
        self._transposed = [weight.transpose(1, 2) for weight in self._weights]
        self._to_shared = torch.zeros_like(self._shared)
        self._to_weights = [weight.new_zeros(weight.shape) for weight in self._weights]
        self._to_biases = [bias.new_zeros(self._n_lanes, len(bias)) for bias in self._biases]
        self._buffers: dict[int, _Buffers] = {}

    def add(self, features: Tensor, owner: Tensor, answer_gradient: AnswerGradient) -> None:
        """Add the rows ``features`` (N, F), each with the condition of its ``owner`` (N,)."""
        if self._condition is None:
            owner = torch.zeros_like(owner)
        n_rows = self._n_lanes * block_rows(-(-len(features) // self._n_lanes))
        for start in range(0, len(features), n_rows):
            rows = slice(start, min(start + n_rows, len(features)))
            self._add_block(features, owner, rows, answer_gradient)

    def finish(self) -> SweepGradients:
        """The gradients of all rows that were added; the latent is the condition."""
        to_weights = [gradient.sum(0) for gradient in self._to_weights]
        to_biases = [gradient.sum(0) for gradient in self._to_biases]
        to_biases[0], to_condition = self._to_shared.sum(0), None
        if self._condition is not None:
            of_condition = self._to_shared.t() @ self._condition
            to_weights[0] = torch.cat([to_weights[0], of_condition], dim=1)
            to_condition = self._to_shared @ self._of_condition
        pairs = zip(to_weights, to_biases, strict=True)
        return SweepGradients([tensor for pair in pairs for tensor in pair], to_condition)

    def _add_block(
        self, features: Tensor, owner: Tensor, rows: slice, answer_gradient: AnswerGradient
    ) -> None:
        """Add some rows; where lanes would be unequal, rows are made up that count for nothing."""
        n_rows = rows.stop - rows.start
        buffers = self._buffers_of(-(-n_rows // self._n_lanes))
        n_made_up = buffers.n_rows - n_rows
        inputs = _in_lanes(_with_zeros(features[rows], n_made_up), self._n_lanes)
        owners = _with_zeros(owner[rows], n_made_up)
        answers = self._up(buffers, inputs, owners)
        gradient = _with_zeros(answer_gradient(rows, answers[:n_rows]), n_made_up)
        self._down(buffers, inputs, owners, _in_lanes(gradient, self._n_lanes))

    def _buffers_of(self, n_rows_per_lane: int) -> _Buffers:
        """The buffers for blocks of some size."""
        if n_rows_per_lane not in self._buffers:
            self._buffers[n_rows_per_lane] = _Buffers(
                self._n_lanes, n_rows_per_lane, self._widths, self._shared
            )
        return self._buffers[n_rows_per_lane]

    def _up(self, buffers: _Buffers, inputs: Tensor, owners: Tensor) -> Tensor:
        """(L n, out) answers of a block; its activations stay in the buffers."""
        hidden, lanes = buffers.hidden[0], buffers.hidden_lanes[0]
        torch.index_select(self._shared, 0, owners, out=hidden)
        lanes.baddbmm_(inputs, self._transposed[0])
        for layer in range(1, len(self._weights)):
            activate_(hidden, self._slope)
            above = buffers.hidden_lanes[layer]
            torch.baddbmm(self._biases[layer], lanes, self._transposed[layer], out=above)
            hidden, lanes = buffers.hidden[layer], above
        return hidden

    def _down(self, buffers: _Buffers, inputs: Tensor, owners: Tensor, gradient: Tensor) -> None:
        """Add the gradients of a block whose activations are in the buffers."""
        passed = gradient  # (L, n, out)
        for layer in range(len(self._weights) - 1, 0, -1):
            below, passed_on = buffers.hidden[layer - 1], buffers.passed[layer - 1]
            self._to_biases[layer] += passed.sum(1)
            self._to_weights[layer].baddbmm_(
                passed.transpose(1, 2), buffers.hidden_lanes[layer - 1]
            )
            torch.bmm(passed, self._weights[layer], out=buffers.passed_lanes[layer - 1])
            through_activation_(passed_on, below, self._slope)
            passed = buffers.passed_lanes[layer - 1]
        self._to_weights[0].baddbmm_(passed.transpose(1, 2), inputs)
        self._to_shared.index_add_(0, owners, passed.flatten(0, 1))


class _Buffers:
    """Activations and their gradients for blocks of L lanes of n rows, flat and by lanes.

    Layers take turns with two buffers for the gradient: what fits the cache is read fastest.
    """

    def __init__(self, n_lanes: int, n_rows: int, widths: Sequence[int], like: Tensor) -> None:
        self.n_rows = n_lanes * n_rows
        self.hidden = [like.new_empty(self.n_rows, width) for width in widths]
        two = like.new_empty(2, self.n_rows * max(widths))
        self.passed = [
            two[layer % 2, : self.n_rows * width].view(self.n_rows, width)
            for layer, width in enumerate(widths)
        ]
        self.hidden_lanes = [_in_lanes(hidden, n_lanes) for hidden in self.hidden]
        self.passed_lanes = [_in_lanes(passed, n_lanes) for passed in self.passed]


def _in_lanes(rows: Tensor, n_lanes: int) -> Tensor:
    """(L n, F) to (L, n, F)."""
    return rows.view(n_lanes, -1, rows.shape[1])


def _with_zeros(rows: Tensor, n_more: int) -> Tensor:
    """(N, ...) to (N + ``n_more``, ...)."""
    if not n_more:
        return rows
    return torch.cat([rows, rows.new_zeros((n_more, *rows.shape[1:]))])
