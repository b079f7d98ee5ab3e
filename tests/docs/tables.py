"""Tables of the documentation that are drawn from what is built in.

A page holds a table between ``<!-- table: NAME -->`` and ``<!-- end -->``. ``python -m
tests.docs.tables`` writes all of them anew; a test fails where one differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.docs.pages import pages
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.families import FAMILIES

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_PAGES = {"loss_weightings": "loss_weighting", "exporters": "exporter"}
_ARITY = {"one": "one", "optional": "one or none", "many": "any number"}


def parts() -> str:
    """Families with the parts that are built in."""
    rows = ["| family | a run has | built in |", "| --- | --- | --- |"]
    for family in FAMILIES:
        kinds = ", ".join(f"`{kind}`" for kind in builtin_registry().kinds(family.name))
        page = _PAGES.get(family.name, family.name)
        rows.append(f"| [`{family.name}`]({page}.md) | {_ARITY[family.arity]} | {kinds} |")
    return "\n".join(rows) + "\n"


def commands() -> str:
    """Every command with what it does, in the order of help."""
    rows = ["| command | |", "| --- | --- |"]
    for name, command in builtin_registry().commands.items():
        rows.append(f"| [`{name}`](commands/{name}.md) | {command.summary} |")
    return "\n".join(rows) + "\n"


def steps() -> str:
    """What each step of a pipeline file takes besides the fields of its own spec."""
    rows = ["| takes `particles` and the sections of a run spec | |", "| --- | --- |"]
    records = builtin_registry().commands.values()
    with_data = [f"`{each.name}`" for each in records if each.data_options]
    others = [f"`{each.name}`" for each in records if each.is_step and not each.data_options]
    rows += [f"| yes | {', '.join(with_data)} |", f"| no | {', '.join(others)} |"]
    return "\n".join(rows) + "\n"


TABLES: dict[str, Callable[[], str]] = {"parts": parts, "commands": commands, "steps": steps}


def rendered(text: str) -> str:
    """A page with its tables as they should be."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], text)


def tables_of(page: Path) -> list[str]:
    """Names of the tables on a page."""
    return [found[1] for found in _TABLE.findall(page.read_text())]


if __name__ == "__main__":
    for path in pages():
        path.write_text(rendered(path.read_text()))
