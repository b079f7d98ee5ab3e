"""Which epoch of a run to use: epochs compared with each other, held-out tilts and known maps."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="convergence_nn",
        help_order=110,
        summary="Compare the epochs of a train_nn run with a known map.",
        details="RUN is the run directory, REFERENCE the map (MRC). Writes Fourier shell "
        "correlations and pictures to RUN/convergence.<number of epochs>.",
        function="tomodrgn.plugins.commands.convergence.command_nn:convergence_nn",
        spec="tomodrgn.plugins.commands.convergence.spec:ConvergenceNnSpec",
        options="tomodrgn.plugins.commands.convergence.spec:CONVERGENCE_NN_OPTIONS",
    ),
    Command(
        name="convergence_vae",
        help_order=120,
        summary="Compare the epochs of a train_vae run, and recommend one.",
        details="RUN is the run directory, EPOCH the last epoch to look at, counted from 0. Tells "
        "from held-out tilts (train_vae --fraction-train) which epoch to use; writes to "
        "RUN/convergence.<epoch>.",
        takes="run",
        function="tomodrgn.plugins.commands.convergence.command:convergence_vae",
        spec="tomodrgn.plugins.commands.convergence.spec:ConvergenceVaeSpec",
        options="tomodrgn.plugins.commands.convergence.spec:CONVERGENCE_VAE_OPTIONS",
    ),
)
