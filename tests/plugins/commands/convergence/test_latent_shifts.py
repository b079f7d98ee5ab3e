from __future__ import annotations

import numpy as np

from tomodrgn.plugins.commands.convergence.latent_shifts import latent_shifts


def test_straight_steps_have_no_angle_and_turns_do() -> None:
    step = np.array([[0.0, 2.0]] * 7)
    turn = np.array([[2.0, 0.0]] * 7)
    places = np.cumsum([np.zeros((7, 2)), step, step, turn, -turn], axis=0)
    expected = [[4, 2, 0], [0, 2, 1], [-4, 2, 2]]
    np.testing.assert_allclose(latent_shifts(iter(places)), expected)


def test_two_epochs_have_no_successive_shifts() -> None:
    assert latent_shifts(np.zeros((2, 5, 3))).shape == (0, 3)


def test_latents_that_rest_are_no_fault() -> None:
    np.testing.assert_array_equal(latent_shifts(np.zeros((4, 5, 1))), [[0, 0, 1]] * 2)


def test_a_particle_that_jumps_counts_as_one_of_many() -> None:
    """Medians of product, length and angle are those of the others, however far one jumps."""
    step = np.array([[0.0, 2.0]] * 6)
    jump = np.concatenate([step, [[1e6, 0.0]]])
    back = np.concatenate([step, [[-1e6, 0.0]]])
    places = np.cumsum([np.zeros((7, 2)), jump, back], axis=0)
    np.testing.assert_allclose(latent_shifts(places), [[4, 2, 0]])
