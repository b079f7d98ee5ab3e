"""Processes of one job, as threads of the test."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ResultT = TypeVar("ResultT")


@dataclass
class Crew:
    """What the members of a team share."""

    size: int
    texts: list[str] = field(default_factory=list)
    barrier: threading.Barrier = field(init=False)

    def __post_init__(self) -> None:
        self.texts = [""] * self.size
        self.barrier = threading.Barrier(self.size)


@dataclass(frozen=True)
class Member:
    """One process of a team, see ``tomodrgn.core.cache.team.Team``."""

    crew: Crew
    rank: int
    is_first_on_node: bool

    @property
    def n_ranks(self) -> int:
        return self.crew.size

    def gather(self, text: str) -> list[str]:
        self.crew.texts[self.rank] = text
        self.crew.barrier.wait(60)
        texts = list(self.crew.texts)
        self.crew.barrier.wait(60)
        return texts

    @contextmanager
    def agreement(self) -> Iterator[None]:
        fault = None
        try:
            yield
        except Exception as error:  # noqa: BLE001  what it is, all are told
            fault = error
        words = [text for text in self.gather(str(fault or "")) if text]
        if fault is not None:
            raise fault
        if words:
            raise StoppedError(words[0])


class StoppedError(Exception):
    """What another process could not do."""


def in_team(
    size: int, work: Callable[[Member], ResultT], *, has_nodes: bool = False
) -> list[ResultT | Exception]:
    """What every member of a team returns or raises; with nodes, each is on one of its own."""
    crew = Crew(size)
    results: dict[int, ResultT | Exception] = {}

    def run(rank: int) -> None:
        try:
            results[rank] = work(Member(crew, rank, has_nodes or rank == 0))
        except Exception as error:  # noqa: BLE001  the test looks at it
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[rank] for rank in range(size)]
