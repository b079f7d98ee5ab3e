"""Handing a finished run to the exporters of its spec."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tomodrgn.core.interfaces import ExporterContext
from tomodrgn.core.products import EXPORTS

if TYPE_CHECKING:
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.interfaces import Exporter

logger = logging.getLogger(__name__)


def export_run(finished: Run) -> None:
    """Let the exporters of a run write what they make of it."""
    exporters = finished.spec.exporters
    if not exporters:
        return
    results = finished.results()
    for spec in exporters:
        folder = finished.directory / EXPORTS / spec.kind
        exporter: Exporter = finished.registry.build(spec, ExporterContext(outdir=folder))
        for path in exporter.export(results, None):
            logger.info("exported %s", path)
