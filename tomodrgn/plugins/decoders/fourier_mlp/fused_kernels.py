"""Triton kernels: rows up and down the layers of a residual MLP, a tile of rows per program.

The residual stream of a tile stays in float32 registers from the first layer to the last. Each
layer rounds it once, for the product with its weights: the rounded tile is written, which the
gradients of the weights need anyway, and read back at once, out of the cache. So a layer moves its
activations through memory once in each direction. The identity never enters the weights.

Importing this module needs Triton; only :mod:`~.fused_sweep` does it, where a GPU is there. Sizes
in capitals are known to the compiler. *Short* numbers are bfloat16.
"""

# ruff: noqa: N803, PLR0917, D417  the compiler of kernels knows no types of Python
from __future__ import annotations

import triton
from triton import language as tl


@triton.jit(do_not_specialize=["n_rows"])
def climb(
    features,
    owner,
    first,
    shared,
    weights,
    biases,
    last,
    last_bias,
    hidden,
    answers,
    n_rows,
    slope,
    F: tl.constexpr,
    H: tl.constexpr,
    LAYERS: tl.constexpr,
    OUT: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
    STEP: tl.constexpr,
):
    """Fill the answers of a tile of rows, and the activations below every layer but the first.

    Args:
        features: (N, F) short.
        owner: (N,) which row of ``shared`` a row begins with.
        first: (F, H) short.
        shared: (B, H) float32.
        weights: (LAYERS, H, H) short, [layer, input, output].
        biases: (LAYERS, H) float32.
        last: (H, PADDED) short, zeros behind OUT.
        last_bias: (PADDED,) float32.
        hidden: (LAYERS + 1, N, H) short, filled.
        answers: (N, OUT) float32, filled.
        n_rows: N.
        slope: of the activation below zero.
    """
    rows, is_row = _tile(n_rows, ROWS)
    columns = tl.arange(0, H)[None, :]
    stream = tl.zeros((ROWS, H), tl.float32)
    stream = _add_product(stream, features + rows * F, is_row, first, F, H, STEP)
    owners = tl.load(owner + rows, is_row, 0)
    stream += tl.load(shared + owners * H + columns)
    for layer in range(LAYERS):
        stream = tl.where(stream > 0, stream, stream * slope)
        tile = hidden + (layer * n_rows + rows) * H
        _keep(stream, tile + columns, is_row)
        stream = _add_product(stream, tile, is_row, weights + layer * H * H, H, H, STEP)
        stream += tl.load(biases + layer * H + columns)
    tile = hidden + (LAYERS * n_rows + rows) * H
    _keep(tl.where(stream > 0, stream, stream * slope), tile + columns, is_row)
    outputs = tl.arange(0, PADDED)[None, :]
    answer = tl.zeros((ROWS, PADDED), tl.float32)
    answer = _add_product(answer, tile, is_row, last, H, PADDED, STEP)
    answer += tl.load(last_bias + outputs)
    tl.store(answers + rows * OUT + outputs, answer, is_row & (outputs < OUT))


@triton.jit(do_not_specialize=["n_rows"])
def descend(
    gradient,
    last,
    weights,
    hidden,
    passed,
    sums,
    n_rows,
    slope,
    H: tl.constexpr,
    LAYERS: tl.constexpr,
    OUT: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
    STEP: tl.constexpr,
):
    """Fill the gradients of a tile of rows above every layer but the last.

    Args:
        gradient: (N, OUT) float32, of the answers.
        last: (PADDED, H) short, zeros behind OUT.
        weights: (LAYERS, H, H) short, [layer, output, input].
        hidden: (LAYERS + 1, N, H) short, as filled by ``climb``.
        passed: (LAYERS + 1, N, H) short, filled: gradients of what enters the activations.
        sums: (tiles, LAYERS + 1, H) float32, filled: the same, summed over a tile.
        n_rows: N.
        slope: of the activation below zero.
    """
    rows, is_row = _tile(n_rows, ROWS)
    columns = tl.arange(0, H)[None, :]
    sum_at = sums + tl.program_id(0).to(tl.int64) * (LAYERS + 1) * H + tl.arange(0, H)
    outputs = tl.arange(0, PADDED)[None, :]
    given = tl.load(gradient + rows * OUT + outputs, is_row & (outputs < OUT), 0.0)
    weight = tl.load(last + tl.arange(0, PADDED)[:, None] * H + columns)
    stream = tl.dot(given.to(weight.dtype), weight)
    for done in range(LAYERS):
        layer = LAYERS - done
        start = (layer * n_rows + rows) * H
        is_active = tl.load(hidden + start + columns, is_row, 0.0) > 0
        stream = tl.where(is_active, stream, stream * slope)
        tl.store(sum_at + layer * H, tl.sum(stream, 0))
        _keep(stream, passed + start + columns, is_row)
        weight_at = weights + (layer - 1) * H * H
        stream = _add_product(stream, passed + start, is_row, weight_at, H, H, STEP)
    is_active = tl.load(hidden + rows * H + columns, is_row, 0.0) > 0
    stream = tl.where(is_active, stream, stream * slope)
    tl.store(sum_at, tl.sum(stream, 0))
    _keep(stream, passed + rows * H + columns, is_row)


@triton.jit
def _tile(n_rows, ROWS: tl.constexpr):
    """(ROWS, 1) numbers of the rows of this program, and which of them are there."""
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    return rows, rows < n_rows


@triton.jit
def _keep(stream, tile, is_row):
    """Write a tile, rounded, so that all threads of the program may read it."""
    tl.store(tile, stream.to(tile.dtype.element_ty), is_row)
    tl.debug_barrier()


@triton.jit
def _add_product(
    total, tile, is_row, weight, K: tl.constexpr, WIDTH: tl.constexpr, STEP: tl.constexpr
):
    """``total`` plus the (ROWS, K) at ``tile`` times the (K, WIDTH) at ``weight``."""
    columns = tl.arange(0, WIDTH)[None, :]
    for start in range(0, K, STEP):
        inner = start + tl.arange(0, STEP)
        block = tl.load(tile + inner[None, :], is_row, 0.0)
        total = tl.dot(block, tl.load(weight + inner[:, None] * WIDTH + columns), total)
    return total
