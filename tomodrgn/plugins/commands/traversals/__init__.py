"""Ways through latents: along principal components, and from particle to particle."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="pc_traversal",
        help_order=160,
        summary="Write latents along principal components.",
        details="LATENTS is a file such as z.19.pkl; the files are for eval_vol --zfile.",
        function="tomodrgn.plugins.commands.traversals.command:pc_traversal",
        spec="tomodrgn.plugins.commands.traversals.spec:PcTraversalSpec",
        options="tomodrgn.plugins.commands.traversals.spec:PC_TRAVERSAL_OPTIONS",
    ),
    Command(
        name="graph_traversal",
        help_order=170,
        summary="Find a way from particle to particle through their neighbors.",
        details="LATENTS is a file such as z.19.pkl; the latents of the way are for eval_vol "
        "--zfile.",
        function="tomodrgn.plugins.commands.traversals.command:graph_traversal",
        spec="tomodrgn.plugins.commands.traversals.spec:GraphTraversalSpec",
        options="tomodrgn.plugins.commands.traversals.spec:GRAPH_TRAVERSAL_OPTIONS",
    ),
)
