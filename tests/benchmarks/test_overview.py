"""The table of ceilings and figures, with work too small to mean anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as program
from benchmarks import ceiling, overview, report

TINY = overview.Sizes(
    train_particles=2,
    epochs=2,
    volumes=1,
    volume_box_px=16,
    stack_gb=1e-3,
    cache_gb=1e-3,
    map_particles=2,
    linear_images=82,
)


@pytest.fixture
def quick_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ceiling, "_CALLS", 1)
    monkeypatch.setattr(ceiling, "COPIED_BYTES", 2**16)


@pytest.mark.usefixtures("quick_ceilings")
def test_every_figure_has_a_ceiling_of_its_unit_and_a_ratio(tmp_path: Path) -> None:
    rows = overview.measure(TINY, tmp_path)
    ours = [row for row in rows if row["ceiling"]]
    assert len({tuple(row) for row in rows}) == 1
    assert all(isinstance(row["rate"], float) and row["rate"] > 0 for row in rows)
    assert all(isinstance(row["percent"], float) and row["percent"] > 0 for row in ours)
    described = " ".join(str(row["what"]) for row in ours)
    for name in ("train", "decode", "prepare", "stream", "back-project", "linear"):
        assert name in described
    assert list(tmp_path.iterdir()) == []


def test_results_are_added_a_line_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for rate in (1.0, 2.0):
        report.append_line("overview", [{"what": "copy", "rate": rate}], path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["rows"][0]["rate"] for line in lines] == [1.0, 2.0]
    assert all(line["machine"]["torch"] and line["time"] for line in lines)


def test_without_a_name_the_table_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(overview, "main", called.append)
    assert program.main([]) == program.main(["--quick"]) == program.main(["overview"]) == 0
    assert called == [[], ["--quick"], []]


def test_names_are_those_of_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"ceiling", "decode", "gpu", "overview", "stream", "train"} <= set(program.names())
    assert program.NOT_BENCHMARKS.isdisjoint(program.names())
    assert program.main(["trian"]) == 2
    assert "train" in capsys.readouterr().out


def test_gpu_says_when_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert program.main(["gpu"]) == 0
    assert "no CUDA device" in capsys.readouterr().out
