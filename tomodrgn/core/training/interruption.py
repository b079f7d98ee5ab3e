"""Signals that ask a run to save its state: Ctrl-C, and what schedulers send."""

from __future__ import annotations

import contextlib
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@dataclass(slots=True)
class Interruption:
    """What has been asked for since the flags were last cleared."""

    stop: signal.Signals | None = None
    save: bool = False

    def counts(self) -> list[float]:
        """How often SIGINT, SIGTERM and a save are asked for: numbers that processes can add."""
        return [
            float(self.stop == signal.SIGINT),
            float(self.stop == signal.SIGTERM),
            float(self.save),
        ]

    @classmethod
    def of_any(cls, counts: list[float]) -> Interruption:
        """What any of several processes asks for, by the sum of their counts."""
        interrupts, terminations, saves = counts
        stop = signal.SIGINT if interrupts else signal.SIGTERM if terminations else None
        return cls(stop, save=saves > 0)


@contextlib.contextmanager
def watch_signals() -> Iterator[Interruption]:
    """Turn SIGINT and SIGTERM into a wish to stop, SIGUSR1 into a wish to save and go on.

    A second SIGINT stops at once. Outside the main thread nothing is watched.
    """
    wishes = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield wishes
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            wishes.save = True
        elif number == signal.SIGINT and wishes.stop is not None:
            raise KeyboardInterrupt
        else:
            wishes.stop = signal.Signals(number)

    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    before = {number: signal.signal(number, ask) for number in watched}
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
