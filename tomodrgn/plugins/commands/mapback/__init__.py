"""Particles in their tomograms, drawn by ChimeraX."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="subtomo2chimerax",
        help_order=220,
        summary="Draw particles in their tomograms, in ChimeraX.",
        details="Takes a STAR file with coordinates and angles of particles (volume series or "
        "optimisation set), or the directory of a run trained on such. Open the scripts it writes "
        "in ChimeraX.",
        takes="inputs",
        function="tomodrgn.plugins.commands.mapback.command:map_back",
        spec="tomodrgn.plugins.commands.mapback.spec:MapbackSpec",
        options="tomodrgn.plugins.commands.mapback.spec:MAPBACK_OPTIONS",
    ),
)
