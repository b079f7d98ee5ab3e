"""Pages lead to each other and cover what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tomodrgn.notebook
import tomodrgn.plugin
import tomodrgn.testing
from tests.docs.pages import DOCS, ROOT, page_name, pages
from tests.docs.tables import TABLES, rendered, tables_of
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.cli.main import offered_commands
from tomodrgn.core.families import FAMILIES
from tomodrgn.core.specs.run_options import TRAIN_VAE_OPTIONS
from tomodrgn.plugins.commands.convergence.spec import (
    CONVERGENCE_NN_OPTIONS,
    CONVERGENCE_VAE_OPTIONS,
)
from tomodrgn.plugins.commands.downsample.spec import DOWNSAMPLE_OPTIONS
from tomodrgn.plugins.commands.eval_vol.spec import VOLUME_OPTIONS
from tomodrgn.plugins.commands.filter_star.spec import FILTER_OPTIONS
from tomodrgn.plugins.commands.mapback.spec import MAPBACK_OPTIONS
from tomodrgn.plugins.commands.train.options import TRAIN_NN_OPTIONS

_LINK = re.compile(r"\]\(([^)\s]+)\)")

PAGE_OF_FAMILY = {
    "loss_weightings": "loss_weighting",
    "exporters": "exporter",
}


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link.split("#")[0] for link in _LINK.findall(page.read_text())]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_page_can_be_reached() -> None:
    start = ROOT / "README.md"
    waiting, seen = [start, DOCS / "index.md"], set()
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        links = (link.split("#")[0] for link in _LINK.findall(page.read_text()))
        waiting += [page.parent / link for link in links if link and "://" not in link]
    assert [page_name(page) for page in pages() if page.resolve() not in seen] == []


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_tables_are_those_of_what_is_built_in(page: Path) -> None:
    """``python -m tests.docs.tables`` writes them anew."""
    text = page.read_text()
    assert rendered(text) == text, "run python -m tests.docs.tables and look at what it changes"


def test_every_table_stands_somewhere() -> None:
    assert {name for page in pages() for name in tables_of(page)} == set(TABLES)


@pytest.mark.parametrize("command", offered_commands())
def test_every_command_has_a_page(command: str) -> None:
    page = DOCS / "commands" / f"{command}.md"
    assert page.is_file()
    is_step = builtin_registry().commands[command].is_step
    assert (f"options {command}" in tables_of(page)) == is_step


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_every_built_in_part_is_described(family: str) -> None:
    text = (DOCS / "plugins" / f"{PAGE_OF_FAMILY.get(family, family)}.md").read_text()
    kinds = [entry.component.kind for name, entry in builtin_registry() if name == family]
    assert [kind for kind in kinds if f"`{kind}`" not in text] == []


def test_options_of_2022_that_are_mapped_exist() -> None:
    text = (DOCS / "coming-from-tomodrgn-2022.md").read_text()
    named = set(re.findall(r"`(--[a-zA-Z][a-zA-Z-]+)`", text))
    tables = (
        TRAIN_NN_OPTIONS, TRAIN_VAE_OPTIONS, VOLUME_OPTIONS, MAPBACK_OPTIONS, FILTER_OPTIONS,
        DOWNSAMPLE_OPTIONS, CONVERGENCE_NN_OPTIONS, CONVERGENCE_VAE_OPTIONS,
    )  # fmt: skip
    known = {name for table in tables for row in table for name in row.names.split()}
    assert sorted(named - known) == []


_OF_AUTHORS = [
    "docs/plugins",
    "docs/commands",
    "docs/guide",
    "docs/in-python.md",
    "examples/plugins",
]


@pytest.mark.parametrize("place", _OF_AUTHORS)
def test_authors_are_shown_the_faces_alone(place: str) -> None:
    """``tomodrgn``, its ``plugin``, ``testing`` and ``notebook`` stay; other modules move."""
    listed = [ROOT / place] if (ROOT / place).is_file() else sorted((ROOT / place).rglob("*.*"))
    files = [path for path in listed if path.suffix in {".md", ".py"}]
    assert files
    deep = re.compile(r"(?:from|import) tomodrgn\.(?:core|plugins)\b")
    assert [page_name(path) for path in files if deep.search(path.read_text())] == []


def test_everything_that_a_face_lists_is_there() -> None:
    for face in (tomodrgn, tomodrgn.notebook, tomodrgn.plugin, tomodrgn.testing):
        assert [name for name in face.__all__ if not hasattr(face, name)] == []
        assert sorted(face.__all__) == list(face.__all__)
