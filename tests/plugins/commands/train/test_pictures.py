from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tomodrgn.plugins.commands.train.pictures import draw_training_curves

EPOCH = '{{"epoch": {}, "generative": 1.0, "divergence": 0.0, "total": {}}}\n'


def test_of_an_epoch_that_was_repeated_the_last_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}
    monkeypatch.setattr(
        "tomodrgn.core.figures.training.training_curves",
        lambda path, metrics: drawn.update(path=path, total=metrics["total"].tolist()),
    )
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text("".join(EPOCH.format(*row) for row in ((0, 9), (1, 8), (1, 7), (2, "NaN"))))
    draw_training_curves(tmp_path, metrics)
    assert drawn["path"] == tmp_path / "training_curves.png"
    assert drawn["total"][:2] == [9, 7]
    assert len(drawn["total"]) == 3


def test_damaged_metrics_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"epoch": 0, "gen{"epoch": 1}\n')
    draw_training_curves(tmp_path, metrics)
    assert "training_curves.png is not drawn" in caplog.text
    assert not list(tmp_path.glob("*.png"))


def test_a_missing_matplotlib_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "tomodrgn.core.figures.training", None)
    draw_training_curves(tmp_path, tmp_path / "metrics.jsonl")
    assert "results are complete without it" in caplog.text
