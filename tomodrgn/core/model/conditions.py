"""Answers of a residual MLP at the same rows for many conditions: volumes at many latents.

What the first layer makes of the rows is computed once for all conditions. On a CPU, rows then pass
in blocks with a lane for every core, as in :mod:`tomodrgn.core.model.sweep`, in two buffers that
are used again. The plain twin is :meth:`ResidualMlp.forward` for one condition after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tomodrgn.core.model.mlp import activate_, block_rows

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.model.mlp import ResidualMlp


@torch.no_grad()
def answers_for_conditions(
    mlp: ResidualMlp, features: Tensor, conditions: Tensor, n_lanes: int | None = None
) -> Tensor:
    """(C, N, out) answers at every row for every condition, without a gradient.

    Args:
        mlp: the layers, with F + Z inputs.
        features: (N, F), the first input columns.
        conditions: (C, Z), the last input columns.
        n_lanes: by default the CPU threads that torch may use.
    """
    (first, *weights), (first_bias, *biases) = mlp.folded_layers()
    n_features = features.shape[1]
    of_rows = functional.linear(features, first[:, :n_features], first_bias)  # (N, h)
    of_conditions = functional.linear(conditions, first[:, n_features:])  # (C, h)
    if features.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        layers = _InLanes(n_lanes or torch.get_num_threads(), weights, biases, mlp.slope)
        return layers.answers(of_rows, of_conditions)
    hidden = of_rows + of_conditions[:, None]
    for weight, bias in zip(weights, biases, strict=True):
        activate_(hidden, mlp.slope)
        hidden = functional.linear(hidden, weight, bias)
    return hidden


class _InLanes:
    """The layers after the first, a lane of rows on every core."""

    def __init__(
        self, n_lanes: int, weights: list[Tensor], biases: list[Tensor], slope: float
    ) -> None:
        self._n_lanes = n_lanes
        self._weights = [weight.t().expand(n_lanes, -1, -1) for weight in weights]
        self._biases = biases
        self._slope = slope

    def answers(self, of_rows: Tensor, of_conditions: Tensor) -> Tensor:
        """(C, N, out) for what the first layer makes of rows (N, h) and of conditions (C, h)."""
        n_rows, width = len(of_rows), len(self._biases[-1])
        n_per_block = self._n_lanes * block_rows(-(-n_rows // self._n_lanes))
        answers = of_rows.new_empty(len(of_conditions), n_rows, width)
        parts = zip(of_rows.split(n_per_block), answers.split(n_per_block, dim=1), strict=True)
        for block, targets in parts:
            n_made_up = -len(block) % self._n_lanes  # rows that make lanes equal
            filled = functional.pad(block, (0, 0, 0, n_made_up))
            lanes = filled.view(self._n_lanes, -1, block.shape[1])
            buffers = torch.empty_like(lanes), torch.empty_like(lanes)
            for condition, target in zip(of_conditions, targets, strict=True):
                torch.add(lanes, condition, out=buffers[0])
                target.copy_(self._after_first(*buffers).flatten(0, 1)[: len(block)])
        return answers

    def _after_first(self, hidden: Tensor, other: Tensor) -> Tensor:
        """(L, n, out) for what comes out of the first layer; both buffers are written."""
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            activate_(hidden, self._slope)
            torch.baddbmm(bias, hidden, weight, out=other)
            hidden, other = other, hidden
        activate_(hidden, self._slope)
        return torch.baddbmm(self._biases[-1], hidden, self._weights[-1])
