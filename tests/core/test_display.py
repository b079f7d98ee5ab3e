"""Long work shows a bar where somebody watches, and lines where nobody does."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tomodrgn.core import display


def test_without_a_terminal_lines_are_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="tomodrgn")
    clock = iter([0.0, 5.0, 12.0])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(clock))
    with display.show_progress("reading") as update:
        update(1, 4)  # after 5 s, too soon
        update(2, 4)
    assert caplog.messages == ["reading: 2 of 4, 12 s left"]


@pytest.mark.parametrize(("shell", "is_one"), [("ZMQInteractiveShell", True), ("Other", False)])
def test_a_notebook_is_known_by_its_shell(
    monkeypatch: pytest.MonkeyPatch, shell: str, is_one: bool
) -> None:
    running = type(shell, (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: running))
    assert display._is_notebook() is is_one


def test_without_ipython_there_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not display._is_notebook()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_on_a_full_disk_says_so_once_and_the_work_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run.log").symlink_to("/dev/full")
    with display.logging_to(tmp_path / "run.log") as begin:
        begin()
        for number in range(3):
            logging.getLogger("tomodrgn.test").info("line %d", number)
    assert "Traceback" not in capsys.readouterr().err
    assert caplog.text.count("cannot be written (No space left on device); the log ends here") == 1
