"""The outcome of a check as a page of text, for a terminal and for ``report.md``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from tomodrgn.core.inspection.alternatives import MATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.inspection.contract import Contract, Span, StackFacts
    from tomodrgn.core.inspection.outcome import Outcome
    from tomodrgn.core.inspection.verdicts import Verdict

_LABEL_WIDTH: Final = 11
_PAGE_WIDTH: Final = 100
_MOST_TOMOGRAMS: Final = 8
_MOST_FOLDERS: Final = 3
_MARKS: Final = {"supported": "ok", "contradicted": "WRONG", "doubtful": "warning",
          "undecided": "?"}  # fmt: skip


def page(outcome: Outcome) -> str:
    """The whole page."""
    sections = {
        "Input": contract_lines(outcome.contract),
        "Findings": _finding_lines(outcome),
        "Assumptions": _verdict_lines(outcome),
    }
    parts = [
        "\n".join([title, *lines]) for title, content in sections.items() if (lines := [*content])
    ]
    return "\n\n".join([*parts, conclusion(outcome)]) + "\n"


def conclusion(outcome: Outcome) -> str:
    """One sentence."""
    if outcome.faults:
        return f"Wrong: {', '.join(outcome.faults)}. Correct the input, and check again."
    if outcome.verdicts and not outcome.has_signal:
        return (
            "Passed, but nothing could be decided: half of the particles say nothing of the other "
            "half.\nTry more (--most-images); if in vain, images and poses may not belong together."
        )
    open_ones = [v.assumption for v in outcome.verdicts if v.decision == "undecided"]
    if open_ones:
        return f"Passed. This data cannot decide: {', '.join(open_ones)}."
    return "Passed."


def contract_lines(contract: Contract) -> Iterator[str]:
    """What the set is, one fact a line."""
    yield from _line("file", f"{contract.path}, read as {contract.reader}")
    tilts = contract.tilts
    n_tilts = _span(tilts) if tilts.low < tilts.high else f"{tilts.low:g}"
    yield from _line(
        "particles",
        f"{contract.n_particles:,} in {len(contract.tomograms):,} tomograms; "
        f"{contract.n_images:,} images, {n_tilts} tilts each",
    )
    yield from _line("tomograms", _tomograms(contract))
    for reason, n_rows in contract.rejected.items():
        yield from _line("left out", f"{n_rows:,} images: {reason}")
    edge_a = contract.box_size_px * contract.pixel_size_a
    yield from _line(
        "images",
        f"{contract.box_size_px} px of {contract.pixel_size_a:.4g} Å ({edge_a:.0f} Å)",
    )
    if contract.stacks is not None:
        yield from _line("stacks", _stacks(contract.stacks))
    for name, state in contract.states.items():
        yield from _line("state", f"{state} ({name})" if len(contract.states) > 1 else state)
    yield from _line("CTF", _ctf(contract))
    yield from _line("dose", _dose(contract))
    yield from _line("tilt", _tilt(contract))
    if contract.shift is not None:
        yield from _line("shifts", f"{_span(contract.shift)} px")
    yield from _line("height", _height(contract.height))
    yield from _line("positions", _positions(contract))
    if contract.half_sets is not None:
        one, two, neither = contract.half_sets
        rest = f", {neither:,} in none" if neither else ""
        yield from _line("half sets", f"{one:,} and {two:,} particles{rest}")


def _line(label: str, text: str) -> Iterator[str]:
    """A fact, wrapped beside its label."""
    if not text:
        return
    start = f"  {label:<{_LABEL_WIDTH}}"
    lines = textwrap.wrap(
        text,
        _PAGE_WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (line.replace("\u00a0", " ") for line in lines)


def _span(span: Span) -> str:
    if span.low == span.high:
        return f"{span.low:.4g}"
    return f"{span.low:.4g} to {span.high:.4g} (median {span.middle:.4g})"


def _tomograms(contract: Contract) -> str:
    named = list(contract.tomograms.items())
    shown = [f"{name or '(no name)'} {n:,}" for name, (n, _) in named[:_MOST_TOMOGRAMS]]
    more = len(named) - _MOST_TOMOGRAMS
    return ", ".join(shown) + (f", and {more:,} more" if more > 0 else "") + " particles"


def _stacks(stacks: StackFacts) -> str:
    stated = [f"{a:g}" for a in stacks.pixel_size_a if a > 0]
    more = len(stacks.folders) - _MOST_FOLDERS
    others = f" and {more:,} more" if more > 0 else ""
    parts = [
        f"{stacks.n_stacks:,} in {', '.join(stacks.folders[:_MOST_FOLDERS])}{others}",
        ", ".join(stacks.dtypes),
        f"headers state {', '.join(stated)} Å/px" if stated else "headers state no pixel size",
    ]
    if stacks.n_images is not None:
        parts.append(f"{stacks.n_images:,} images in them")
    return "; ".join(part for part in parts if part)


def _ctf(contract: Contract) -> str:
    ctf = contract.ctf
    if not ctf:
        return "none"
    parts = [
        f"{_span(ctf['voltage_kv'])} kV",
        f"Cs {_span(ctf['cs_mm'])} mm",
        f"amplitude contrast {_span(ctf['amplitude_contrast'])}",
        f"phase shift {_span(ctf['phase_shift_deg'])} degrees",
        f"defocus {_span(ctf['defocus_um'])} µm",
        f"astigmatism {_span(ctf['astigmatism_um'])} µm",
    ]
    return "; ".join(parts)


def _dose(contract: Contract) -> str:
    if contract.dose is None:
        return ""
    parts = [f"{_span(contract.dose)} e/Å²"]
    if contract.dose_step is not None:
        parts.append(f"step {contract.dose_step:.3g}")
    if contract.dose_follows_tilt is not None:
        parts.append(f"rank correlation with tilt {contract.dose_follows_tilt:.2f}")
    return "; ".join(parts)


def _tilt(contract: Contract) -> str:
    if contract.tilt is None:
        return ""
    step = "" if contract.tilt_step is None else f"; step {contract.tilt_step:.3g}"
    unsigned = "" if contract.tilt.low < 0 else ", without sign"
    return f"{_span(contract.tilt)} degrees{unsigned}{step}"


def _height(height: Span | None) -> str:
    if height is None:
        return ""
    return f"{_span(height)} Å of the defocus come from particle height"


def _positions(contract: Contract) -> str:
    if contract.position is None:
        return "none"
    spans = zip("xyz", contract.position, strict=True)
    text = ", ".join(f"{axis} {span.low:.0f} to {span.high:.0f}" for axis, span in spans)
    return f"{text} Å" + ("" if contract.has_orientation else "; no orientations in the tomogram")


def _finding_lines(outcome: Outcome) -> Iterator[str]:
    for finding in outcome.findings:
        label = "WRONG" if finding.weight == "fault" else "warning"
        yield from _line(label, f"{finding.subject}: {finding.text}")
        yield from _line("", f"-> {finding.remedy}")


def _verdict_lines(outcome: Outcome) -> Iterator[str]:
    if not outcome.verdicts:
        return
    yield (
        f"  tried on {outcome.n_images:,} images of {outcome.n_particles:,} particles, "
        f"to {outcome.resolution_a:.3g} Å; one half predicts the other with z = "
        f"{outcome.signal_z:.0f}"
    )
    for verdict in outcome.verdicts:
        yield from _line(_MARKS[verdict.decision], f"{verdict.assumption}: {_sentence(verdict)}")
        if verdict.decision == "contradicted":
            yield from _line("", f"-> {verdict.comparisons[0].alternative.remedy}")


def _sentence(verdict: Verdict) -> str:
    if not verdict.comparisons:
        return "nothing to try"
    best = verdict.comparisons[0]
    what, z = best.alternative.name, f"z\u00a0=\u00a0{best.z:+.1f}"
    match verdict.decision:
        case "contradicted" if verdict.assumption == MATCH:
            return f"no; it is as likely that {what} ({z}); or the poses are wrong"
        case "contradicted":
            return f"{what} ({z})"
        case "supported":
            return f"as given; not: {what} ({z})"
        case "doubtful":
            return f"perhaps {what} ({z})"
        case _:
            return f"cannot be decided; perhaps {what} ({z})"
