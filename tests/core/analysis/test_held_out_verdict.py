from __future__ import annotations

import numpy as np
import pandas as pd

from tomodrgn.core.analysis.held_out_verdict import (
    NO_GAIN,
    OVERFITTING,
    STILL_IMPROVING,
    UNUSED_LATENT,
    judge,
)

EPOCHS = np.arange(10)
FALLING = pd.Series(1.0 - 0.01 * EPOCHS, index=EPOCHS)


def table(errors: np.ndarray, *, gain: float = 1e-2, information: float = 1e-2) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": EPOCHS,
            "error": errors,
            "exchanged_error": errors + information,
            "consensus_error": 0.7,
            "empty_error": 1.0,
            "gain": gain,
            "gain_standard_error": 1e-3,
            "information": information,
            "information_standard_error": 1e-3,
        }
    )


def test_the_epoch_of_least_held_out_error_is_recommended() -> None:
    errors = 0.6 + 0.01 * (EPOCHS - 4) ** 2
    verdict = judge(table(errors), FALLING)
    assert verdict.recommended_epoch == 4
    assert set(verdict.warnings) == {OVERFITTING}
    assert "epoch 4" in verdict.reason


def test_a_rise_of_both_errors_is_no_overfitting() -> None:
    errors = 0.6 + 0.01 * (EPOCHS - 4) ** 2
    assert not judge(table(errors), FALLING[::-1].reset_index(drop=True)).warnings


def test_small_fluctuations_are_no_overfitting() -> None:
    errors = 0.6 + 0.001 * np.random.default_rng(0).random(10)
    assert not judge(table(errors), FALLING).warnings


def test_one_bad_last_epoch_is_no_overfitting() -> None:
    errors = np.full(10, 0.6)
    errors[2], errors[-1] = 0.599, 0.65
    assert not judge(table(errors), FALLING).warnings


def test_a_run_that_still_improves_is_told_to_go_on() -> None:
    assert set(judge(table(0.7 - 0.01 * EPOCHS), FALLING).warnings) == {STILL_IMPROVING}


def test_latents_that_serve_other_particles_as_well_are_unused() -> None:
    verdict = judge(table(np.full(10, 0.6), information=2e-3), FALLING)
    assert set(verdict.warnings) == {UNUSED_LATENT}


def test_used_latents_that_do_not_beat_the_consensus_map_are_told_apart() -> None:
    verdict = judge(table(np.full(10, 0.6), gain=-1e-2), FALLING)
    assert set(verdict.warnings) == {NO_GAIN}
    np.testing.assert_allclose(verdict.relative_gain, -1e-2 / 0.3)


def test_a_single_checkpoint_is_judged() -> None:
    verdict = judge(table(np.full(10, 0.6)).head(1), FALLING)
    assert verdict.recommended_epoch == 0
    assert not verdict.warnings
