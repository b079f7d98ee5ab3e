"""A browser without a window, where there is one."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def try_page(page: Path, scratch: Path) -> dict[str, Any]:
    """What the page says of its own test, and what the browser complains of as ``complaints``."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("no Chromium here, so the page is not tried; Debian's package is chromium")
    done = subprocess.run(
        [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={scratch / 'profile'}", "--window-size=1200,1600", "--dump-dom",
            f"{page.absolute().as_uri()}#selftest",
        ],
        capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "HOME": str(scratch)},
    )  # fmt: skip
    said = re.search(r'<output id="selftest"[^>]*>([^<]+)</output>', done.stdout)
    assert said is not None, done.stderr
    complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(html.unescape(said[1])) | {"complaints": complaints}
