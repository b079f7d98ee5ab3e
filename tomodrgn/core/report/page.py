"""The page itself: text, pictures and points put into one file."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.quoting import html_json, html_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCRIPTS: Final = ("points.js", "scatter.js", "page.js")
_WIDTH_IN_PNG: Final = slice(16, 20)
_PIXELS_OF_PAGE: Final = 0.6
"""Pixels of the page, of which an inch has 96, for each pixel of a picture, of which it has 160."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture and what it shows."""

    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of text; numbers may be shaded by how large they are within their row."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | int]]
    shaded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a report says.

    Attributes:
        title: its heading.
        subtitle: the line below.
        facts: about the run, by name.
        warnings: in words, by short names.
        verdict: what held-out tilts say, in words.
        sections: pictures and tables by heading, in their order.
        details: longer texts that are folded away, by heading.
        points: particles, as ``encode_points`` gives them.
        palette: colors of kinds, taken in turn, as ``#rrggbb``.
        gradient: colors of numbers, from low to high, as ``#rrggbb``.
        remarks: what the page leaves out, in words.
    """

    title: str
    subtitle: str
    facts: Mapping[str, str]
    warnings: Mapping[str, str]
    verdict: str
    sections: Mapping[str, Sequence[Picture | Table]]
    details: Mapping[str, str]
    points: Mapping[str, Any]
    palette: Sequence[str]
    gradient: Sequence[str]
    remarks: Sequence[str] = field(default=())


def page_text(page: Page) -> str:
    """The page as HTML that needs nothing else."""
    data = {"points": page.points, "palette": page.palette, "gradient": page.gradient}
    return Template(_part("page.html")).substitute(
        title=html_text(page.title),
        subtitle=html_text(page.subtitle),
        style=_part("page.css"),
        script="\n".join(_part(name) for name in _SCRIPTS),
        data=html_json(data),
        warnings=_warnings(page),
        facts=_definitions(page.facts),
        remarks="".join(f"<p class='quiet'>{html_text(words)}</p>" for words in page.remarks),
        sections="".join(_section(*pair) for pair in page.sections.items() if pair[1]),
        details="".join(
            f"<details><summary>{html_text(name)}</summary><pre>{html_text(text)}</pre></details>"
            for name, text in page.details.items()
        ),
    )


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _warnings(page: Page) -> str:
    verdict = f"<p>{html_text(page.verdict)}</p>" if page.verdict else ""
    if not page.warnings:
        return verdict + "<p>Nothing stands out that would speak against these results.</p>"
    return f"{verdict}<dl class='warnings'>" + _entries(page.warnings) + "</dl>"


def _definitions(entries: Mapping[str, str]) -> str:
    return f"<dl class='facts'>{_entries(entries)}</dl>"


def _entries(entries: Mapping[str, str]) -> str:
    return "".join(
        f"<div><dt>{html_text(name)}</dt><dd>{html_text(words)}</dd></div>"
        for name, words in entries.items()
    )


def _section(heading: str, parts: Sequence[Picture | Table]) -> str:
    shown = "".join(_picture(part) if isinstance(part, Picture) else _table(part) for part in parts)
    return f"<section><h2>{html_text(heading)}</h2>{shown}</section>"


def _picture(picture: Picture) -> str:
    caption = html_text(picture.caption)
    source = base64.b64encode(picture.png).decode("ascii")
    width = int.from_bytes(picture.png[_WIDTH_IN_PNG], "big") * _PIXELS_OF_PAGE
    return (
        f"<figure><img width='{width:.0f}' src='data:image/png;base64,{source}' alt='{caption}'>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th scope='col'>{html_text(name)}</th>" for name in table.head)
    rows = "".join(_row(row, shaded=table.shaded) for row in table.rows)
    return (
        f"<p class='quiet'>{html_text(table.caption)}</p><div class='wide'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(row: Sequence[str | int], *, shaded: bool) -> str:
    numbers = [cell for cell in row if isinstance(cell, int)]
    largest = max([*numbers, 1])
    cells = [f"<th scope='row'>{html_text(str(row[0]))}</th>"]
    for cell in row[1:]:
        if isinstance(cell, int):
            shade = f" style='--share:{cell / largest:.2f}'" if shaded else ""
            cells.append(f"<td class='number'{shade}>{cell:,}</td>")
        else:
            cells.append(f"<td>{html_text(cell)}</td>")
    return f"<tr>{''.join(cells)}</tr>"
