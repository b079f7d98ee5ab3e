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
from tomodrgn.core.model.mlp import Layer, activate_, block_rows, through_activation_
from tomodrgn.plugins.decoders.fourier_mlp.scripted import scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tomodrgn.core.model.mlp import ResidualMlp

    AnswerGradient = Callable[[slice, Tensor], Tensor]
    """Rows and their answers (n, out) to the derivative of the loss by these answers (n, out)."""


class MlpSweep:
    """Collects the gradients of a residual MLP over any number of rows.

    Under autocast, products take its number type, and what residual layers add stays out of their
    weights, whose diagonal would lose its digits; sums over blocks keep the type of the weights.

    Args:
        mlp: the layers; their weights are taken as they are now.
        condition: (B, C) last input columns, shared by the rows of a particle, or None.
    """

    def __init__(self, mlp: ResidualMlp, condition: Tensor | None) -> None:
        self._slope = mlp.slope
        self._condition = condition
        is_short = torch.is_autocast_enabled("cpu")
        first, *others = mlp.layers()
        weight, bias, _ = first.folded()
        n_features = weight.shape[1] - (0 if condition is None else condition.shape[1])
        self._of_condition = weight[:, n_features:]
        self._shared = bias[None]
        if condition is not None:
            with torch.autocast("cpu", enabled=False):
                self._shared = functional.linear(condition, self._of_condition, bias)
        layers = [Layer(weight[:, :n_features], self._shared, is_residual=False)]
        layers += others if is_short else [layer.folded() for layer in others]
        self._number = torch.get_autocast_dtype("cpu") if is_short else weight.dtype
        self._factors = [layer.weight.to(self._number) for layer in layers]
        self._offsets = [layer.bias.to(self._number) for layer in layers]
        self._residual = [layer.is_residual for layer in layers]
        self._to_shared = torch.zeros_like(self._shared)
        self._to_weights = [torch.zeros_like(layer.weight) for layer in layers]
        self._to_biases = [torch.zeros_like(layer.bias) for layer in others]
        self._buffers: dict[int, _Buffers] = {}

    def add(self, features: Tensor, owner: Tensor, answer_gradient: AnswerGradient) -> None:
        """Add the rows ``features`` (N, F), each with the condition of its ``owner`` (N,)."""
        if self._condition is None:
            owner = torch.zeros_like(owner)
        rows = features.to(self._number)
        n_rows, start = block_rows(len(rows), rows.element_size()), 0
        for inputs, owners in zip(rows.split(n_rows), owner.split(n_rows), strict=True):
            buffers = self._buffers_of(len(inputs))
            up(
                inputs,
                owners,
                factors=self._factors,
                offsets=self._offsets,
                residual=self._residual,
                hidden=buffers.hidden,
                slope=self._slope,
            )
            answers = buffers.hidden[-1].to(features.dtype)
            gradient = answer_gradient(slice(start, start + len(inputs)), answers)
            down(
                gradient.to(self._number),
                inputs,
                owners,
                factors=self._factors,
                residual=self._residual,
                hidden=buffers.hidden,
                passed=buffers.passed,
                products=buffers.products,
                to_weights=self._to_weights,
                to_biases=self._to_biases,
                to_shared=self._to_shared,
                wide=buffers.wide,
                ones=buffers.ones,
                slope=self._slope,
            )
            start += len(inputs)

    def finish(self) -> SweepGradients:
        """The gradients of all rows that were added; the latent is the condition."""
        to_first, to_bias = self._to_weights[0], self._to_shared.sum(0)
        to_condition = None
        if self._condition is not None:
            with torch.autocast("cpu", enabled=False):
                of_condition = self._to_shared.t() @ self._condition
                to_condition = self._to_shared @ self._of_condition
            to_first = torch.cat([to_first, of_condition], dim=1)
        others = zip(self._to_weights[1:], self._to_biases, strict=True)
        parameters = [to_first, to_bias, *(tensor for pair in others for tensor in pair)]
        return SweepGradients(parameters, to_condition)

    def _buffers_of(self, n_rows: int) -> _Buffers:
        """The buffers for blocks of some size."""
        if n_rows not in self._buffers:
            self._buffers[n_rows] = _Buffers(n_rows, self._factors, self._to_shared.dtype)
        return self._buffers[n_rows]


def _up(
    features: Tensor,
    owner: Tensor,
    *,
    factors: list[Tensor],
    offsets: list[Tensor],
    residual: list[bool],
    hidden: list[Tensor],
    slope: float,
) -> None:
    """Fill ``hidden`` with the activations of a block; the last of them are its answers."""
    below = hidden[0]
    torch.index_select(offsets[0], 0, owner, out=below)
    below.addmm_(features, factors[0].t())
    for layer in range(1, len(factors)):
        activate_(below, slope)
        above, factor = hidden[layer], factors[layer].t()
        if residual[layer]:
            torch.addmm(below, below, factor, out=above)
            above.add_(offsets[layer])
        else:
            torch.addmm(offsets[layer], below, factor, out=above)
        below = above


def _down(
    gradient: Tensor,
    features: Tensor,
    owner: Tensor,
    *,
    factors: list[Tensor],
    residual: list[bool],
    hidden: list[Tensor],
    passed: list[Tensor],
    products: list[Tensor],
    to_weights: list[Tensor],
    to_biases: list[Tensor],
    to_shared: Tensor,
    wide: Tensor,
    ones: Tensor,
    slope: float,
) -> None:
    """Add the gradients of a block whose activations are in ``hidden``."""
    for layer in range(len(factors) - 1, 0, -1):
        below = hidden[layer - 1]
        _add_rows_(to_biases[layer - 1], gradient, ones)
        _add_product_(to_weights[layer], gradient.t(), below, products[layer])
        if residual[layer]:
            torch.addmm(gradient, gradient, factors[layer], out=passed[layer - 1])
        else:
            torch.mm(gradient, factors[layer], out=passed[layer - 1])
        gradient = passed[layer - 1]
        through_activation_(gradient, below, slope)
    _add_product_(to_weights[0], gradient.t(), features, products[0])
    if gradient.dtype != wide.dtype:
        gradient = wide.copy_(gradient)
    to_shared.index_add_(0, owner, gradient)


def _add_product_(total: Tensor, left: Tensor, right: Tensor, product: Tensor) -> None:
    """Add ``left @ right`` to a sum, which may have more digits than they have."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total.add_(torch.mm(left, right, out=product))


def _add_rows_(total: Tensor, rows: Tensor, ones: Tensor) -> None:
    """Add the sum of rows; as a product where the number type is the same, which is faster."""
    if total.dtype == rows.dtype:
        total.addmv_(rows.t(), ones)
    else:
        total.add_(rows.sum(0, dtype=total.dtype))


up, down = scripted(_up), scripted(_down)


class _Buffers:
    """Activations and their gradients for blocks of ``n_rows``.

    Layers take turns with two buffers for the gradient: what fits the cache is read fastest. The
    few columns of the answers lie one after another, which is how a product fills them fastest.
    """

    def __init__(self, n_rows: int, factors: Sequence[Tensor], wide: torch.dtype) -> None:
        like, widths = factors[0], [len(factor) for factor in factors]
        self.ones = like.new_ones(n_rows)
        self.wide = like.new_empty(n_rows, widths[0], dtype=wide)
        *inner, n_answers = widths
        self.hidden = [like.new_empty(n_rows, width) for width in inner]
        self.hidden.append(like.new_empty(n_answers, n_rows).t())
        two = like.new_empty(2, n_rows * max(widths))
        self.passed = [
            two[layer % 2, : n_rows * width].view(n_rows, width)
            for layer, width in enumerate(widths)
        ]
        self.products = [torch.empty_like(factor) for factor in factors]
