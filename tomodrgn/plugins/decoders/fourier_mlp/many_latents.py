"""Answers of a residual MLP at the same rows for many latents: many volumes.

What the first layer makes of the rows is computed once for all latents. On a CPU, rows then pass
in blocks whose activations stay in the cache of a core, in two buffers that are used again. The
plain twin is :meth:`ResidualMlp.forward` for one latent after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from tomodrgn.core.model.mlp import activate_, block_rows
from tomodrgn.plugins.decoders.fourier_mlp.scripted import scripted

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.model.mlp import ResidualMlp


@torch.no_grad()
def answers_at_latents(mlp: ResidualMlp, features: Tensor, latents: Tensor) -> Tensor:
    """(V, N, out) answers at every row for every latent, without a gradient.

    Args:
        mlp: the layers, with F + Z inputs.
        features: (N, F), the first input columns.
        latents: (V, Z), the last input columns.
    """
    if features.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            return _in_blocks(mlp, features, latents)
    of_rows, of_latents, weights, biases = _first_layer(mlp, features, latents)
    hidden = of_rows + of_latents[:, None]
    for weight, bias in zip(weights, biases, strict=True):
        activate_(hidden, mlp.slope)
        hidden = functional.linear(hidden, weight, bias)
    return hidden


def _first_layer(
    mlp: ResidualMlp, features: Tensor, latents: Tensor
) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
    """What the first layer makes of rows and of latents; weights and biases of the others."""
    (first, bias, _), *others = mlp.folded_layers()
    weights, biases = [layer.weight for layer in others], [layer.bias for layer in others]
    n_features = features.shape[1]
    of_rows = functional.linear(features, first[:, :n_features], bias)  # (N, h)
    of_latents = functional.linear(latents, first[:, n_features:])  # (V, h)
    return of_rows, of_latents, weights, biases


def _in_blocks(mlp: ResidualMlp, features: Tensor, latents: Tensor) -> Tensor:
    """The same, block by block in the cache of the processor."""
    of_rows, of_latents, weights, biases = _first_layer(mlp, features, latents)
    answers = of_rows.new_empty(len(of_latents), len(of_rows), len(biases[-1]))
    n_rows = block_rows(len(of_rows))
    parts = zip(of_rows.split(n_rows), answers.split(n_rows, dim=1), strict=True)
    for block, block_answers in parts:
        buffers = [torch.empty_like(block), torch.empty_like(block)]
        fill_block(block, of_latents, weights, biases, block_answers, buffers, mlp.slope)
    return answers


def _fill_block(  # noqa: PLR0917  called with nothing else
    of_rows: Tensor,
    of_latents: Tensor,
    weights: list[Tensor],
    biases: list[Tensor],
    answers: Tensor,
    buffers: list[Tensor],
    slope: float,
) -> None:
    """Fill ``answers`` (V, n, out) of a block of rows, one latent after another."""
    last = len(weights) - 1
    columns = answers.new_empty(answers.size(2), answers.size(1)).t()
    for latent in range(len(of_latents)):
        torch.add(of_rows, of_latents[latent], out=buffers[0])
        for layer in range(last):
            activate_(buffers[layer % 2], slope)
            factor, above = weights[layer].t(), buffers[(layer + 1) % 2]
            torch.addmm(biases[layer], buffers[layer % 2], factor, out=above)
        activate_(buffers[last % 2], slope)
        torch.addmm(biases[last], buffers[last % 2], weights[last].t(), out=columns)
        answers[latent].copy_(columns)


fill_block = scripted(_fill_block)
