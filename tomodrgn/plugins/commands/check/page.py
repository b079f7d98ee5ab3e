"""The outcome of a check as a page of text, for a terminal and for ``report.md``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from tomodrgn.core.inspection.alternatives import MATCH
from tomodrgn.core.inspection.fault_names import FAULT_NAMES
from tomodrgn.plugins.commands.check.hints import NOT_TRIED, what_would_decide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.inspection.contract import Contract, Span, StackFacts
    from tomodrgn.plugins.commands.check.outcome import Outcome
    from tomodrgn.plugins.commands.check.verdicts import Verdict

_LABEL_WIDTH: Final = 11
_PAGE_WIDTH: Final = 100
_MOST_TOMOGRAMS: Final = 8
_MOST_FOLDERS: Final = 3
_MOST_CANDIDATES: Final = 2
_MARKS: Final = {"supported": "ok", "contradicted": "WRONG", "doubtful": "warning",
          "undecided": "?"}  # fmt: skip


def page(outcome: Outcome) -> str:
    """The whole page."""
    sections = {
        "Input": _input_lines(outcome),
        "Findings": _finding_lines(outcome),
        "Assumptions": _verdict_lines(outcome),
    }
    parts = [
        "\n".join([title, *lines]) for title, content in sections.items() if (lines := [*content])
    ]
    return "\n\n".join([*parts, conclusion(outcome)]) + "\n"


def _input_lines(outcome: Outcome) -> Iterator[str]:
    yield from contract_lines(outcome.contract)
    if outcome.gray_levels is not None:
        yield from _line("gray level", outcome.gray_levels.sentence)


def conclusion(outcome: Outcome) -> str:
    """One sentence."""
    if outcome.result == "wrong":
        return "\n".join(_what_is_wrong(outcome))
    if outcome.not_tried:
        return f"Nothing was found wrong, and nothing could be decided: {outcome.not_tried}."
    if not outcome.has_signal:
        more = (
            "All particles were tried; more of them may tell. If many tell nothing,"
            if outcome.all_were_tried
            else "Try more (--most-images); if in vain,"
        )
        return (
            "Nothing was found wrong, and nothing could be decided: half of the particles do not "
            f"predict the other half (z = {outcome.signal_z:.1f}).\n{more} images and poses may "
            "not belong together."
        )
    if outcome.doubts:
        what = ", ".join(dict.fromkeys(finding.subject for finding in outcome.doubts))
        return (
            "Nothing was found wrong, and images cannot settle what was assumed in reading the "
            f"file: see the warning of {what}."
        )
    open_ones = [
        v.assumption for v in outcome.verdicts if v.decision == "undecided" and v.comparisons
    ]
    if open_ones:
        return f"Passed. These data cannot decide: {', '.join(open_ones)}."
    return "Passed."


def _what_is_wrong(outcome: Outcome) -> Iterator[str]:
    if outcome.faults:
        yield f"Wrong: {', '.join(outcome.faults)}. Correct the input, and check again."
    if outcome.candidates:
        names = ", or ".join(FAULT_NAMES[fault] for fault in outcome.candidates)
        yield f"Images contradict the metadata, and cannot tell which is wrong: {names}."
    if outcome.not_tried:
        yield f"No assumption was tried on images; {outcome.not_tried}."


def contract_lines(contract: Contract) -> Iterator[str]:
    """What the set is, one fact a line."""
    yield from _line("file", f"{contract.path}, read as {contract.reader}")
    tilts = contract.tilts
    n_tilts = _span(tilts) if tilts.low < tilts.high else f"{tilts.low:g}"
    noun = "tilt" if tilts.high == 1 else "tilts"
    yield from _line(
        "particles",
        f"{contract.n_particles:,} in {_count(len(contract.tomograms), 'tomogram')}; "
        f"{_count(contract.n_images, 'image')}, {n_tilts} {noun} each",
    )
    yield from _line("tomograms", _tomograms(contract))
    for reason, n_rows in contract.rejected.items():
        yield from _line("left out", f"{_count(n_rows, 'image')}: {reason}")
    edge_a = contract.box_size_px * contract.pixel_size_a
    yield from _line(
        "images",
        f"{contract.box_size_px} px of {contract.pixel_size_a:.4g} Å ({edge_a:.0f} Å)",
    )
    if contract.stacks is not None:
        yield from _line("stacks", _stacks(contract.stacks, contract.n_images))
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


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _tomograms(contract: Contract) -> str:
    named = list(contract.tomograms.items())
    shown = [f"{name or '(no name)'} {n:,}" for name, (n, _) in named[:_MOST_TOMOGRAMS]]
    more = len(named) - _MOST_TOMOGRAMS
    return ", ".join(shown) + (f", and {more:,} more" if more > 0 else "") + " particles"


def _stacks(stacks: StackFacts, n_read: int) -> str:
    stated = [f"{a:g}" for a in stacks.pixel_size_a if a > 0]
    more = len(stacks.folders) - _MOST_FOLDERS
    others = f" and {more:,} more" if more > 0 else ""
    parts = [
        f"{stacks.n_stacks:,} in {', '.join(stacks.folders[:_MOST_FOLDERS])}{others}",
        ", ".join(stacks.dtypes),
        f"headers state {', '.join(stated)} Å/px" if stated else "headers state no pixel size",
    ]
    if stacks.n_images is not None:
        held = f"{_count(stacks.n_images, 'image')} in them"
        parts.append(held if stacks.n_images == n_read else f"{held}, of which {n_read:,} are read")
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
        f"  tried on {_count(outcome.n_images, 'image')} of "
        f"{_count(outcome.n_particles, 'particle')}, to {outcome.resolution_a:.3g} Å; one half "
        f"predicts the other with z = {outcome.signal_z:.0f}"
    )
    tried = [verdict for verdict in outcome.verdicts if verdict.comparisons]
    if all(v.decision == "undecided" and not v.rivals for v in tried) and not outcome.has_signal:
        names = ", ".join(verdict.assumption for verdict in tried)
        yield from _line("?", f"none can be decided: {names}")
        return
    for verdict in outcome.verdicts:
        mark = "?" if verdict.rivals else _MARKS[verdict.decision]
        yield from _line(mark, f"{verdict.assumption}: {_sentence(verdict)}")
        if verdict.decision == "contradicted":
            for comparison in (verdict.comparisons[0], *verdict.rivals):
                yield from _line("", f"-> {comparison.alternative.remedy}")
        elif verdict.decision == "undecided" and verdict.comparisons:
            decider = what_would_decide(verdict.assumption, all_were_tried=outcome.all_were_tried)
            yield from _line("", f"-> what would decide: {decider}")


def _sentence(verdict: Verdict) -> str:
    if not verdict.comparisons:
        return f"not tried; {NOT_TRIED.get(verdict.assumption, 'nothing would be seen')}"
    best = verdict.comparisons[0]
    what, z = best.alternative.name, f"z\u00a0=\u00a0{best.z:+.1f}"
    match verdict.decision:
        case "contradicted":
            return _contradiction(verdict, what, z)
        case "supported":
            return f"as given; not: {what} ({z})"
        case "doubtful":
            return f"perhaps {what} ({z})"
        case _:
            return f"cannot be decided: as given, or {_candidates(verdict)}"


def _contradiction(verdict: Verdict, what: str, z: str) -> str:
    if verdict.assumption == MATCH:
        return f"no; it is as likely that {what} ({z}); or the poses are wrong"
    if verdict.rivals:
        others = ", or ".join(each.alternative.name for each in verdict.rivals)
        return f"not as given ({z}); cannot be decided whether {what}, or {others}"
    return f"{what} ({z})"


def _candidates(verdict: Verdict) -> str:
    """Alternatives that images leave open, the best first."""
    left = [each for each in verdict.comparisons if each.decision != "supported"]
    shown = [
        f"{each.alternative.name} (z\u00a0=\u00a0{each.z:+.1f})" for each in left[:_MOST_CANDIDATES]
    ]
    more = len(left) - len(shown)
    return ", or ".join(shown) + (f", or {more} more" if more else "")
