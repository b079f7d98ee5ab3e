"""One process at a time holds a claim; the claim of a dead one passes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.cache.claim import claimed

if TYPE_CHECKING:
    from pathlib import Path


def test_a_claim_ends_with_its_block(tmp_path: Path) -> None:
    with claimed(tmp_path / "c.h5") as claim:
        assert claim.is_held()
        assert claim.path.exists()
    assert not list(tmp_path.iterdir())


def test_a_second_claim_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with claimed(tmp_path / "c.h5"):
            order.append("second")

    thread = threading.Thread(target=second)
    with claimed(tmp_path / "c.h5"):
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_claim_of_a_dead_process_passes_on_at_once(tmp_path: Path) -> None:
    script = "import os, sys; from pathlib import Path; from tomodrgn.core.cache.claim import *\n"
    script += "with claimed(Path(sys.argv[1])): os._exit(0)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "c.h5")], check=True)
    assert (tmp_path / "c.h5.claim").exists()
    with claimed(tmp_path / "c.h5", patience_s=60) as claim:
        assert claim.is_held()


@pytest.mark.parametrize("content", ["", "elsewhere"])
def test_a_silent_claim_from_elsewhere_passes_on_after_a_while(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "c.h5.claim"
    if content:
        with claimed(tmp_path / "c.h5") as claim:
            content = json.dumps(asdict(replace(claim.owner, boot="another machine")))
    path.write_text(content)
    begun = time.monotonic()
    with claimed(tmp_path / "c.h5", patience_s=0.2) as claim:
        assert claim.is_held()
    assert time.monotonic() - begun > 0.2


def test_a_beating_claim_from_elsewhere_is_respected(tmp_path: Path) -> None:
    path = tmp_path / "c.h5.claim"
    path.write_text("somebody")
    stop = threading.Event()

    def beat() -> None:
        for _ in range(15):
            time.sleep(0.1)
            os.utime(path)
        path.unlink()
        stop.set()

    thread = threading.Thread(target=beat)
    thread.start()
    with claimed(tmp_path / "c.h5", patience_s=1.0):
        assert stop.is_set()
    thread.join()


def test_an_owner_notices_that_its_claim_was_taken(tmp_path: Path) -> None:
    with claimed(tmp_path / "c.h5") as claim:
        claim.path.write_text(json.dumps(asdict(replace(claim.owner, token="other"))))  # noqa: S106
        assert not claim.is_held()
    assert claim.path.exists()
