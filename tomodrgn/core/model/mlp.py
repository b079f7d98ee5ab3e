"""Residual multilayer perceptrons: the networks that encoders and decoders are made of.

``y = W x + b + x`` equals ``(W + I) x + b``, so on a CPU a residual layer costs one matrix product
and no extra pass over memory. Inputs shared by many rows (the latent of a particle, for all its
coefficients) enter as a *condition*: multiplied once per particle, then spread.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Activation = Literal["relu", "leaky_relu"]
LEAKY_SLOPE = 0.01
BLOCK = 1024
"""Most rows of float32 whose activations stay in the cache of a processor core between layers."""


class ResidualLinear(nn.Module):
    """A square linear layer that adds its input to its output."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, features: Tensor) -> Tensor:
        """(N, dim) to (N, dim)."""
        result: Tensor = self.linear(features) + features
        return result


class Layer(NamedTuple):
    """A linear layer without a gradient: ``W x + b``, plus x where it is residual."""

    weight: Tensor
    bias: Tensor
    is_residual: bool

    def folded(self) -> Layer:
        """The same layer with the identity in its weight."""
        if not self.is_residual:
            return self
        return Layer(_with_identity(self.weight), self.bias, is_residual=False)


class ResidualMlp(nn.Module):
    """Linear layer, residual hidden layers, linear layer; residual wherever the widths agree.

    Args:
        in_dim: input features, the condition included.
        layers: hidden layers between the first and the last.
        hidden_dim: width of the hidden layers.
        out_dim: output features, without activation.
        activation: ``relu`` or ``leaky_relu`` (slope 0.01).

    Source:
        He et al. 2016, doi:10.1109/CVPR.2016.90, with one layer per residual connection.
    """

    def __init__(
        self, in_dim: int, layers: int, hidden_dim: int, out_dim: int, activation: Activation
    ) -> None:
        super().__init__()
        self.slope = 0.0 if activation == "relu" else LEAKY_SLOPE
        widths = [in_dim, *([hidden_dim] * (layers + 1)), out_dim]
        modules: list[nn.Module] = []
        for width, next_width in pairwise(widths):
            same = width == next_width
            modules += [ResidualLinear(width) if same else nn.Linear(width, next_width)]
            modules += [nn.LeakyReLU(self.slope)]
        self.main = nn.Sequential(*modules[:-1])

    def forward(
        self, features: Tensor, condition: Tensor | None = None, counts: Tensor | None = None
    ) -> Tensor:
        """Outputs of N rows.

        Args:
            features: (N, F).
            condition: (B, C) with F + C = ``in_dim``; the last input columns, shared by rows.
            counts: (B,) rows that share each condition.

        Returns:
            (N, out_dim).
        """
        spread = None
        if condition is not None and counts is not None:
            spread = torch.repeat_interleave(counts, output_size=len(features))
        if features.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                return self._fused(features, condition, spread)
        return self._plain(features, condition, spread)

    def _plain(self, features: Tensor, condition: Tensor | None, spread: Tensor | None) -> Tensor:
        """The definition, layer by layer, and the path of devices other than the CPU."""
        weight, bias = self._first_layer()
        n_features = features.shape[1]
        hidden = functional.linear(features, weight[:, :n_features], bias)
        if condition is not None and spread is not None:
            hidden = hidden + functional.linear(condition, weight[:, n_features:])[spread]
        for module in list(self.main)[1:]:
            hidden = module(hidden)
        return hidden

    def _fused(self, features: Tensor, condition: Tensor | None, spread: Tensor | None) -> Tensor:
        """The same numbers, block by block in the cache of the processor, with all their digits."""
        weight, bias = self._first_layer()
        n_features = features.shape[1]
        if condition is None or spread is None:
            shared, spread = bias[None], features.new_zeros(len(features), dtype=torch.int64)
        else:
            shared = functional.linear(condition, weight[:, n_features:], bias)
        layers = list(self.main)[2::2]
        residual = tuple(isinstance(layer, ResidualLinear) for layer in layers)
        tensors = [t for layer in layers for t in (_linear(layer).weight, _linear(layer).bias)]
        fused: Any = _FusedLayers.apply
        result: Tensor = fused(
            self.slope, residual, features, spread, shared, weight[:, :n_features], *tensors
        )
        return result

    def layers(self) -> list[Layer]:
        """All layers with their values of now."""
        modules = [self.main[index] for index in range(0, len(self.main), 2)]
        linears = [_linear(module) for module in modules]
        return [
            Layer(linear.weight.detach(), linear.bias.detach(), linear is not module)
            for linear, module in zip(linears, modules, strict=True)
        ]

    def folded_layers(self) -> list[Layer]:
        """The same, with the identity in the weights where a layer is residual."""
        return [layer.folded() for layer in self.layers()]

    def _first_layer(self) -> tuple[Tensor, Tensor]:
        """Weight, with the identity where the layer is residual, and bias."""
        first = self.main[0]
        linear = _linear(first)
        weight = _with_identity(linear.weight) if first is not linear else linear.weight
        return weight, linear.bias


def _linear(layer: nn.Module) -> nn.Linear:
    """The linear map of a layer, without its identity."""
    return cast("nn.Linear", layer.linear if isinstance(layer, ResidualLinear) else layer)


def _with_identity(weight: Tensor) -> Tensor:
    """W + I."""
    added = weight.clone()
    added.diagonal().add_(1)
    return added


class _FusedLayers(torch.autograd.Function):
    """All layers of a :class:`ResidualMlp` as one node of the autograd graph.

    Rows pass in blocks whose activations fit the cache, with activations in place. ``shared``
    (B, h) is what the first layer adds to the rows that ``spread`` (N,) assigns to it.
    """

    @staticmethod
    def forward(  # noqa: PLR0917  autograd functions take positional arguments alone
        ctx: Any,
        slope: float,
        residual: tuple[bool, ...],
        features: Tensor,
        spread: Tensor,
        shared: Tensor,
        first: Tensor,
        *layers: Tensor,
    ) -> Tensor:
        pairs = zip(layers[::2], residual, strict=True)
        weights = [
            _with_identity(weight) if is_residual else weight for weight, is_residual in pairs
        ]
        biases = layers[1::2]
        answers, inputs = [], []
        n_rows = block_rows(len(features))
        for block, owner in zip(features.split(n_rows), spread.split(n_rows), strict=True):
            inputs.append(block)
            hidden = shared.index_select(0, owner).addmm_(block, first.t())
            for weight, bias in zip(weights, biases, strict=True):
                activate_(hidden, slope)
                inputs.append(hidden)
                hidden = torch.addmm(bias, hidden, weight.t())
            answers.append(hidden)
        ctx.slope = slope
        ctx.n_layers = 1 + len(weights)
        ctx.save_for_backward(spread, shared, first, *weights, *inputs)
        return torch.cat(answers)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        n_layers: int = ctx.n_layers
        spread, shared, *others = ctx.saved_tensors
        weights, inputs = others[:n_layers], others[n_layers:]
        to_weights = [torch.zeros_like(weight) for weight in weights]
        to_biases = [weight.new_zeros(len(weight)) for weight in weights[1:]]
        to_shared, to_features = torch.zeros_like(shared), []
        n_rows = block_rows(len(gradient))
        blocks = zip(gradient.split(n_rows), spread.split(n_rows), strict=True)
        for index, (passed, owner) in enumerate(blocks):
            block_inputs = inputs[index * n_layers : (index + 1) * n_layers]
            for layer in range(n_layers - 1, 0, -1):
                to_biases[layer - 1] += passed.sum(0)
                to_weights[layer].addmm_(passed.t(), block_inputs[layer])
                passed = passed @ weights[layer]  # noqa: PLW2901  on its way down the layers
                through_activation_(passed, block_inputs[layer], ctx.slope)
            to_weights[0].addmm_(passed.t(), block_inputs[0])
            to_shared.index_add_(0, owner, passed)
            if ctx.needs_input_grad[2]:
                to_features.append(passed @ weights[0])
        pairs = zip(to_weights[1:], to_biases, strict=True)
        return (
            None,
            None,
            torch.cat(to_features) if to_features else None,
            None,
            to_shared,
            to_weights[0],
            *(tensor for pair in pairs for tensor in pair),
        )


def block_rows(n_rows: int, bytes_per_number: int = 4) -> int:
    """Rows per block, so that blocks are equally large and none has more bytes than fit."""
    most = max(1, 4 * BLOCK // bytes_per_number)
    n_blocks = max(1, -(-n_rows // most))
    return max(1, -(-n_rows // n_blocks))


def activate_(hidden: Tensor, slope: float) -> None:
    """Apply the activation in place, to (n, features)."""
    if slope:
        functional.leaky_relu_(hidden, slope)
    else:
        hidden.relu_()


def through_activation_(gradient: Tensor, activated: Tensor, slope: float) -> None:
    """Multiply a gradient (n, features) by the derivative of what gave ``activated``."""
    if slope:
        torch.ops.aten.leaky_relu_backward(gradient, activated, slope, True, grad_input=gradient)
    else:
        torch.ops.aten.threshold_backward(gradient, activated, 0, grad_input=gradient)
