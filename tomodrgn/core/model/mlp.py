"""Residual multilayer perceptrons: the networks that encoders and decoders are made of.

``y = W x + b + x`` equals ``(W + I) x + b``, so a residual layer costs one matrix product and no
extra pass over memory. Inputs shared by many rows (the latent of a particle, for all its
coefficients) enter as a *condition*: multiplied once per particle, then spread.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Activation = Literal["relu", "leaky_relu"]
LEAKY_SLOPE = 0.01


class ResidualLinear(nn.Module):
    """A square linear layer that adds its input to its output."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, features: Tensor) -> Tensor:
        """(N, dim) to (N, dim)."""
        result: Tensor = self.linear(features) + features
        return result


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
        if features.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            return self._fused(features, condition, spread)
        return self._plain(features, condition, spread)

    def _plain(self, features: Tensor, condition: Tensor | None, spread: Tensor | None) -> Tensor:
        """The definition, and the path for devices whose compiler fuses by itself."""
        (weight, bias), *others = self._effective_layers()
        n_features = features.shape[1]
        hidden = functional.linear(features, weight[:, :n_features], bias)
        if condition is not None and spread is not None:
            hidden = hidden + functional.linear(condition, weight[:, n_features:])[spread]
        for weight, bias in others:
            hidden = functional.linear(functional.leaky_relu(hidden, self.slope), weight, bias)
        return hidden

    def _fused(self, features: Tensor, condition: Tensor | None, spread: Tensor | None) -> Tensor:
        """The same numbers with activations in place and no copy of a layer in memory."""
        (weight, bias), *others = self._effective_layers()
        n_features = features.shape[1]
        if condition is not None and spread is not None:
            shared = functional.linear(condition, weight[:, n_features:], bias)
            start = shared.index_select(0, spread)
            weight = weight[:, :n_features]
        else:
            start = bias
        tensors = [tensor for layer in others for tensor in layer]
        fused: Any = _FusedLayers.apply
        result: Tensor = fused(self.slope, features, start, weight, *tensors)
        return result

    def _effective_layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each layer, the identity of residual layers folded in."""
        layers: list[tuple[Tensor, Tensor]] = []
        for module in self.main:
            if isinstance(module, ResidualLinear):
                linear = module.linear
                eye = torch.eye(len(linear.weight), device=linear.weight.device)
                layers.append((linear.weight + eye, linear.bias))
            elif isinstance(module, nn.Linear):
                layers.append((module.weight, module.bias))
        return layers


class _FusedLayers(torch.autograd.Function):
    """All layers of a :class:`ResidualMlp` as one node of the autograd graph."""

    @staticmethod
    def forward(
        ctx: Any, slope: float, features: Tensor, start: Tensor, first: Tensor, *layers: Tensor
    ) -> Tensor:
        """``start`` is the first bias: (h,), or (N, h) when it depends on the row."""
        weights = [first, *layers[::2]]
        inputs = [features]
        hidden = torch.addmm(start, features, first.t())
        for weight, bias in zip(layers[::2], layers[1::2], strict=True):
            functional.leaky_relu_(hidden, slope)
            inputs.append(hidden)
            hidden = torch.addmm(bias, hidden, weight.t())
        ctx.slope = slope
        ctx.shared_start = start.dim() == 1
        ctx.save_for_backward(*inputs, *weights)
        return hidden

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half = len(ctx.saved_tensors) // 2
        inputs, weights = ctx.saved_tensors[:half], ctx.saved_tensors[half:]
        layer_gradients: list[Tensor] = []
        for layer_input, weight in zip(inputs[:0:-1], weights[:0:-1], strict=True):
            layer_gradients += [gradient.sum(0), gradient.t() @ layer_input]
            gradient = gradient @ weight
            torch.ops.aten.leaky_relu_backward.grad_input(
                gradient, layer_input, ctx.slope, True, grad_input=gradient
            )
        to_features = gradient @ weights[0] if ctx.needs_input_grad[1] else None
        to_start = gradient.sum(0) if ctx.shared_start else gradient
        to_first = gradient.t() @ inputs[0]
        return (None, to_features, to_start, to_first, *reversed(layer_gradients))
