"""Attention over a ragged set of feature vectors, to one vector per particle.

Source:
    Lee et al. 2019, arXiv:1810.00825 (Set Transformer): two self-attention blocks, pooling by
    attention with one learned query, two more blocks, a linear layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from tomodrgn.core.model.ragged import pad

if TYPE_CHECKING:
    from torch import Tensor


class AttentionBlock(nn.Module):
    """Multi-head attention of queries over a set, with residual feed-forward layer."""

    def __init__(
        self, query_dim: int, set_dim: int, dim: int, *, n_heads: int, layer_norm: bool
    ) -> None:
        super().__init__()
        self.query = nn.Linear(query_dim, dim)
        self.key = nn.Linear(set_dim, dim)
        self.value = nn.Linear(set_dim, dim)
        self.out = nn.Linear(dim, dim)
        self.norms = nn.ModuleList(
            [nn.LayerNorm(dim) if layer_norm else nn.Identity() for _ in range(2)]
        )
        self.n_heads = n_heads

    def forward(self, queries: Tensor, members: Tensor, present: Tensor) -> Tensor:
        """(B, Q, query_dim), (B, T, set_dim), (B, T) bool to (B, Q, dim)."""
        query, key, value = self.query(queries), self.key(members), self.value(members)
        query_heads, key_heads, value_heads = map(self._split, (query, key, value))
        mixed = functional.scaled_dot_product_attention(
            query_heads,
            key_heads,
            value_heads,
            attn_mask=present[:, None, None, :],
            scale=query.shape[-1] ** -0.5,  # the width of all heads together, as in the source
        )
        result = self.norms[0](query + mixed.transpose(1, 2).flatten(2))
        fed: Tensor = self.norms[1](result + functional.relu(self.out(result)))
        return fed

    def _split(self, rows: Tensor) -> Tensor:
        """(B, T, dim) to (B, heads, T, dim / heads)."""
        heads: Tensor = rows.unflatten(2, (self.n_heads, -1))
        return heads.transpose(1, 2)


class SetAttention(nn.Module):
    """(M, in_dim) packed features to (B, out_dim); the order within a particle has no effect."""

    def __init__(
        self, in_dim: int, dim: int, out_dim: int, *, n_heads: int, layer_norm: bool
    ) -> None:
        super().__init__()

        def block(query_dim: int, set_dim: int) -> AttentionBlock:
            return AttentionBlock(query_dim, set_dim, dim, n_heads=n_heads, layer_norm=layer_norm)

        self.enc = nn.ModuleList([block(in_dim, in_dim), block(dim, dim)])
        self.seed = nn.Parameter(nn.init.xavier_uniform_(torch.empty(1, 1, dim)))
        self.pool = block(dim, dim)
        self.dec = nn.ModuleList([block(dim, dim), block(dim, dim)])
        self.last = nn.Linear(dim, out_dim)

    def forward(self, features: Tensor, counts: Tensor, longest: int | None = None) -> Tensor:
        """(M, in_dim) packed, (B,) and the largest of them, to (B, out_dim)."""
        members, present = pad(features, counts, longest)
        for encode in self.enc:
            members = encode(members, members, present)
        pooled = self.pool(self.seed.expand(len(counts), -1, -1), members, present)
        alone = present.new_ones((len(counts), 1))
        for decode in self.dec:
            pooled = decode(pooled, pooled, alone)
        answer: Tensor = self.last(pooled[:, 0])
        return answer
