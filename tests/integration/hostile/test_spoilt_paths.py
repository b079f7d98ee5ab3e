"""Every command, each of its inputs and outputs spoilt in turn: one message, nothing changed.

A few commands are tried here, all of them in the slow tests.
"""

from __future__ import annotations

import string
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.hostile.calls import (
    CALLS,
    SmallData,
    call,
    is_told,
    make_runs,
    make_small_data,
)
from tests.integration.hostile.spoilt_paths import OUT_SPOILS, SPOILS, Spoil
from tomodrgn.core.cli.main import offered_commands

QUICK = ("filter_star", "pc_traversal")
ADDED_TO = {"labels.jsonl"}
"""Files of a run that commands add lines to, by intent."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> SmallData:
    return make_small_data(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def data_and_runs(tmp_path_factory: pytest.TempPathFactory) -> SmallData:
    data = make_small_data(tmp_path_factory.mktemp("small_with_runs"))
    make_runs(data)
    return data


def test_every_command_is_called() -> None:
    assert set(CALLS) == set(offered_commands())


def spoilt_calls(command: str) -> Iterator[tuple[str, Spoil]]:
    """Each input and output of a command, with all that may be wrong with it."""
    fields = {field for _, field, _, _ in string.Formatter().parse(CALLS[command]) if field}
    for field in sorted(fields):
        for spoil in OUT_SPOILS if field == "out" else SPOILS:
            yield field, spoil


def assert_all_told(command: str, data: SmallData, folder: Path) -> int:
    """Each spoilt call ends in one message and leaves all inputs alone; how many there were."""
    before, n_calls = data.digests(), 0
    for field, spoil in spoilt_calls(command):
        place = Path(tempfile.mkdtemp(dir=folder))
        spoilt = spoil(data.inputs(place / "out")[field], place)
        result = call(data.words(command, place / "out", **{field: spoilt}))
        where = f"{command} with {field}: {spoil.__name__}"
        assert is_told(result), f"{where}: {result.exception!r} {result.stderr[-300:]}"
        n_calls += 1
    after = data.digests()
    changed = {name for name, digest in before.items() if after.get(name) != digest}
    assert {Path(name).name for name in changed} <= ADDED_TO
    return n_calls


@pytest.mark.parametrize("command", QUICK)
def test_what_is_spoilt_is_told(command: str, data: SmallData, tmp_path: Path) -> None:
    assert assert_all_told(command, data, tmp_path) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(set(CALLS) - set(QUICK)))
def test_what_is_spoilt_is_told_by_all(
    command: str, data_and_runs: SmallData, tmp_path: Path
) -> None:
    assert_all_told(command, data_and_runs, tmp_path)


def test_a_folder_that_is_gone_is_told(
    data: SmallData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for command in QUICK:
        assert is_told(call(data.words(command, tmp_path / command)))
