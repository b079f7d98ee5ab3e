"""Tilt series with known answers."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="simulate",
        help_order=10,
        summary="Make tilt series with known answers.",
        details="Writes STAR files and stacks as the program of the format does, and the truth: "
        "labels, maps and poses.",
        function="tomodrgn.core.simulation.tilt_series:simulate",
        spec="tomodrgn.core.specs.simulation:SimulationSpec",
        extras="tomodrgn.plugins.commands.simulate.example_option:EXTRAS",
    ),
)
