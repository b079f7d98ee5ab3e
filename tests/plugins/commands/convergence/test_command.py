"""What the epochs of a run say prints, writes and draws itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from tomodrgn.core.analysis.held_out_verdict import Verdict
from tomodrgn.core.errors import DataError
from tomodrgn.plugins.commands.convergence.command import Convergence, _Tables

VERDICT = Verdict(
    recommended_epoch=1,
    reason="epoch 1 predicts held-out tilts best",
    warnings={"overfitting": "errors of held-out tilts rise after epoch 1"},
    relative_gain=0.1,
    gain_significance=5.0,
    information_significance=6.0,
)


def convergence(folder: Path, verdict: Verdict | None) -> Convergence:
    epochs = pd.Series([0, 1, 2])
    numbers = dict.fromkeys(("gain", "information"), 0.1)
    held_out = pd.DataFrame(
        {"epoch": epochs, "error": [1.0, 0.8, 0.9], "consensus_error": 0.95, "empty_error": 2.0}
        | numbers | {f"{name}_standard_error": 0.01 for name in numbers}
    )  # fmt: skip
    metrics = pd.DataFrame({"epoch": epochs, "generative": [1.0, 0.7, 0.6]})
    tables = _Tables(metrics=metrics, held_out=held_out, activity=pd.DataFrame())
    return Convergence(folder, {"recommended_epoch": verdict and 1}, tables, verdict)


@pytest.mark.usefixtures("rendered")
def test_convergence_prints_writes_and_draws_itself(tmp_path: Path) -> None:
    found = convergence(tmp_path, VERDICT)
    assert found.page() == f"{tmp_path}\n"
    assert os.fspath(found) == str(tmp_path)
    assert str(found).splitlines() == [
        "recommended: epoch 1 predicts held-out tilts best",
        "overfitting: errors of held-out tilts rise after epoch 1",
    ]
    _, values = found.write(tmp_path / "kept")
    assert json.loads(values.read_text()) == {"recommended_epoch": 1}
    found.draw(tmp_path / "errors.png")
    assert (tmp_path / "errors.png").stat().st_size > 1000


def test_without_held_out_tilts_there_is_nothing_to_draw(tmp_path: Path) -> None:
    found = convergence(tmp_path, None)
    assert "no epoch can be recommended" in str(found)
    with pytest.raises(DataError, match="--fraction-train"):
        found.draw(tmp_path / "errors.png")
