"""Plugins of installed packages are found wherever packages lie."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tomodrgn.core.installed import entry_points_of

ENTRY = "[console_scripts]\nother = a:b\n[tomodrgn.test]\nmine = some.module\n"


def install(folder: Path) -> None:
    """Metadata of a package with one entry point."""
    info = folder / "mine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY)


def test_an_entry_point_in_a_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entry_points_of("tomodrgn.test") == []
    install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = entry_points_of("tomodrgn.test")
    assert (found.name, found.value) == ("mine", "some.module")
    assert found.dist is not None
    assert (found.dist.name, found.dist.version) == ("mine", "1.0")


def test_an_entry_point_in_an_archive_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "unpacked")
    path = tmp_path / "packages.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in (tmp_path / "unpacked").rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(tmp_path / "unpacked"))
    monkeypatch.syspath_prepend(path)
    assert [entry.name for entry in entry_points_of("tomodrgn.test")] == ["mine"]


def test_where_nobody_has_a_plugin_metadata_are_not_read() -> None:
    code = (
        "import sys; from tomodrgn.core.installed import entry_points_of; "
        "assert entry_points_of('nobody.has.this') == []; print(*sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "importlib.metadata" not in finished.stdout.split()
