"""Signals that ask a run to save its state: Ctrl-C, and what schedulers send."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


_STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Interruption:
    """What has been asked for since the flags were last cleared."""

    stop: signal.Signals | None = None
    save: bool = False

    def counts(self) -> list[float]:
        """How often SIGINT, SIGTERM, SIGHUP and a save are asked for, as numbers to be added."""
        return [*(float(self.stop == number) for number in _STOPS), float(self.save)]

    @classmethod
    def of_any(cls, counts: list[float]) -> Interruption:
        """What any of several processes asks for, by the sum of their counts."""
        *stops, saves = counts
        asked = (number for number, count in zip(_STOPS, stops, strict=True) if count)
        return cls(next(asked, None), save=saves > 0)


@contextlib.contextmanager
def watch_signals() -> Iterator[Interruption]:
    """Turn SIGINT, SIGTERM and SIGHUP into a wish to stop, SIGUSR1 into a wish to save and go on.

    A second SIGINT stops at once. SIGHUP comes when a terminal is closed, to which nothing can be
    written from then on; under ``nohup`` it stays without effect. Outside the main thread nothing
    is watched.
    """
    wishes = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield wishes
        return

    terminals = [number for number in (1, 2) if _is_terminal(number)]

    def ask(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            wishes.save = True
        elif number == signal.SIGINT and wishes.stop is not None:
            raise KeyboardInterrupt
        else:
            if number == signal.SIGHUP:
                _let_go_of(terminals)
            wishes.stop = signal.Signals(number)

    watched = [*_STOPS, signal.SIGUSR1]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        watched.remove(signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in watched}
    try:
        yield wishes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_terminal(number: int) -> bool:
    try:
        return os.isatty(number)
    except OSError:
        return False


def _let_go_of(terminals: list[int]) -> None:
    """Send nowhere what was written to a terminal that is gone, as writing there fails."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in terminals:
        os.dup2(nowhere, number)
    os.close(nowhere)
