"""Plain networks of dense layers, for small tables of numbers."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from torch import nn

_LAST: Final = 0.1
"""Weights of the last layer over those of the others, so that it begins with saying little."""


def dense_layers(n_inputs: int, n_outputs: int, *, layers: int, dim: int) -> nn.Sequential:
    """Hidden layers with smooth activations, and a linear layer of small weights.

    Args:
        n_inputs: features of an example.
        n_outputs: numbers that are answered.
        layers: hidden layers.
        dim: features of each.
    """
    sizes = [n_inputs, *[dim] * layers]
    network = nn.Sequential()
    for before, after in pairwise(sizes):
        layer = nn.Linear(before, after)
        nn.init.normal_(layer.weight, std=math.sqrt(2 / before))
        nn.init.zeros_(layer.bias)
        network.extend([layer, nn.SiLU()])
    last = nn.Linear(sizes[-1], n_outputs)
    nn.init.normal_(last.weight, std=_LAST / math.sqrt(sizes[-1]))
    nn.init.zeros_(last.bias)
    return network.append(last)
