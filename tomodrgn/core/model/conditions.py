"""Answers of a residual MLP at the same rows for many conditions: volumes at many latents.

What the first layer makes of the rows is computed once for all conditions. On a CPU, rows then pass
in blocks whose activations stay in the cache of a core, in two buffers that are used again. The
plain twin is :meth:`ResidualMlp.forward` for one condition after another.
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
def answers_for_conditions(mlp: ResidualMlp, features: Tensor, conditions: Tensor) -> Tensor:
    """(C, N, out) answers at every row for every condition, without a gradient.

    Args:
        mlp: the layers, with F + Z inputs.
        features: (N, F), the first input columns.
        conditions: (C, Z), the last input columns.
    """
    (first, *weights), (first_bias, *biases) = mlp.folded_layers()
    n_features = features.shape[1]
    of_rows = functional.linear(features, first[:, :n_features], first_bias)  # (N, h)
    of_conditions = functional.linear(conditions, first[:, n_features:])  # (C, h)
    on_cpu = features.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    if on_cpu:
        return _in_blocks(of_rows, of_conditions, weights, biases, mlp.slope)
    hidden = of_rows + of_conditions[:, None]
    for weight, bias in zip(weights, biases, strict=True):
        activate_(hidden, mlp.slope)
        hidden = functional.linear(hidden, weight, bias)
    return hidden


def _in_blocks(
    of_rows: Tensor,
    of_conditions: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    slope: float,
) -> Tensor:
    """The same, block by block in the cache of the processor."""
    *inner, last = [weight.t() for weight in weights]
    *inner_biases, last_bias = biases
    answers = of_rows.new_empty(len(of_conditions), len(of_rows), len(last_bias))
    n_rows = block_rows(len(of_rows))
    parts = zip(of_rows.split(n_rows), answers.split(n_rows, dim=1), strict=True)
    for block, block_answers in parts:
        one, other = torch.empty_like(block), torch.empty_like(block)
        for condition, target in zip(of_conditions, block_answers, strict=True):
            torch.add(block, condition, out=one)
            for weight, bias in zip(inner, inner_biases, strict=True):
                activate_(one, slope)
                torch.addmm(bias, one, weight, out=other)
                one, other = other, one
            activate_(one, slope)
            torch.addmm(last_bias, one, last, out=target)
    return answers
