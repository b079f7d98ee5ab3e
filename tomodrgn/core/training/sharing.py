"""Which part of the work is whose, by the number of a process: the same answer in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def deal(weights: NDArray[np.integer], rank: int, n_ranks: int) -> NDArray[np.int64]:
    """(k,) positions of the items of one process, ascending; weights (n,) are evenly dealt.

    Items are dealt from the heaviest to the lightest, to and fro: the sums of two processes differ
    by no more than the heaviest item.
    """
    heaviest_first = np.argsort(-weights, kind="stable")
    turn, place = np.divmod(np.arange(len(weights)), n_ranks)
    owner = np.where(turn % 2 == 0, place, n_ranks - 1 - place)
    return np.sort(heaviest_first[owner == rank])


def neighbors(weights: NDArray[np.integer], rank: int, n_ranks: int) -> slice:
    """The run of adjacent items of one process; weights (n,) are about even over processes."""
    done = np.cumsum(weights)
    inner = done[-1:].sum() * np.arange(1, n_ranks) / n_ranks
    edges = [0, *np.searchsorted(done, inner, side="right").tolist(), len(weights)]
    return slice(edges[rank], edges[rank + 1])
