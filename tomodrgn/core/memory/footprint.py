"""Memory at the peak of a command: named terms in bytes, on the host and on the device.

The terms are formulas of sizes that are known before the work begins; nothing here allocates or
measures. What the process holds already is a fact that the caller brings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

_GB: Final = 1e9
_SMALLEST_SHOWN: Final = 5e6


class Term(NamedTuple):
    """Something that is held at the peak."""

    name: str
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a command holds at its peak, beside what the process holds already.

    Attributes:
        host: in the memory of the machine, for each process.
        device: in the memory of the GPU; empty where there is none.
    """

    host: tuple[Term, ...] = ()
    device: tuple[Term, ...] = ()

    @property
    def host_bytes(self) -> int:
        """Sum of the terms on the host."""
        return _total(self.host)

    @property
    def device_bytes(self) -> int:
        """Sum of the terms on the device."""
        return _total(self.device)

    def then(self, other: Footprint) -> Footprint:
        """The larger of two that follow on each other, by itself on the host and the device."""
        return Footprint(
            host=max(self.host, other.host, key=_total),
            device=max(self.device, other.device, key=_total),
        )

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(host=self.host + other.host, device=self.device + other.device)


NOTHING: Final = Footprint()


def on_device(terms: tuple[Term, ...], *, is_gpu: bool) -> Footprint:
    """Terms that lie where the computation is."""
    return Footprint(device=terms) if is_gpu else Footprint(host=terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """What the process has taken so far, the program with its libraries included.

    Attributes:
        held_bytes: now.
        peak_bytes: at most so far.
    """

    held_bytes: int
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """An estimate, and what there is.

    Attributes:
        process: taken so far.
        footprint: still to be taken.
        free_host_bytes: free memory of the machine.
        free_device_bytes: free memory of the GPU, or None.
        processes: of this machine, each of which takes as much.
    """

    process: ProcessMemory
    footprint: Footprint
    free_host_bytes: int
    free_device_bytes: int | None = None
    processes: int = 1

    @property
    def host_peak_bytes(self) -> int:
        """Largest resident memory of a process, from its start to its end."""
        still = self.process.held_bytes + self.footprint.host_bytes
        return max(self.process.peak_bytes, still)

    def sentence(self) -> str:
        """One line for the log: peak, terms, and what is free."""
        held = Term("program and tables", self.process.held_bytes)
        words = f"memory: {gigabytes(self.host_peak_bytes)} at the peak"
        if self.processes > 1:
            words += f" of each of {self.processes} processes"
        words += f" ({_list((held, *self.footprint.host))}), "
        words += f"{gigabytes(self.free_host_bytes)} more are free"
        if self.free_device_bytes is None:
            return words
        device = f"{gigabytes(self.footprint.device_bytes)} ({_list(self.footprint.device)})"
        return f"{words}; GPU: {device} of {gigabytes(self.free_device_bytes)} free"

    def shortage(self) -> float:
        """Needed over free memory, on the host or the device, whichever is the worse."""
        shares = [self.processes * self.footprint.host_bytes / max(1, self.free_host_bytes)]
        if self.free_device_bytes is not None:
            shares.append(self.footprint.device_bytes / max(1, self.free_device_bytes))
        return max(shares)

    def rows(self) -> list[tuple[str, str, str]]:
        """Place, name and size of every term, for a table."""
        table = [
            ("memory", "program and tables, as read", gigabytes(self.process.held_bytes)),
            *(("memory", term.name, gigabytes(term.n_bytes)) for term in self.footprint.host),
            ("memory", "peak while reading", gigabytes(self.process.peak_bytes)),
            ("memory", "PEAK", gigabytes(self.host_peak_bytes)),
            ("memory", "free beside the tables", gigabytes(self.free_host_bytes)),
        ]
        if self.free_device_bytes is not None:
            table += [
                *(("GPU", term.name, gigabytes(term.n_bytes)) for term in self.footprint.device),
                ("GPU", "PEAK", gigabytes(self.footprint.device_bytes)),
                ("GPU", "free", gigabytes(self.free_device_bytes)),
            ]
        return table


def _total(terms: tuple[Term, ...]) -> int:
    return sum(term.n_bytes for term in terms)


def gigabytes(n_bytes: float) -> str:
    """A size for people."""
    return f"{n_bytes / _GB:.2f} GB"


def _list(terms: tuple[Term, ...]) -> str:
    """The terms that matter, with their sizes."""
    shown = [term for term in terms if term.n_bytes >= _SMALLEST_SHOWN]
    return ", ".join(f"{term.name} {term.n_bytes / _GB:.2f}" for term in shown) or "little more"
