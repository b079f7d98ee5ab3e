"""Checking an input before training: read, describe, try the assumptions, write the report."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from tomodrgn.core.data.ctf_state import NOT_STATED, SAY_SO, settle_ctf_state
from tomodrgn.core.data.dataset import looking
from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.gray_levels.reader import NormalizingReader
from tomodrgn.core.inspection.contract import describe_set
from tomodrgn.core.inspection.findings import Finding, metadata_findings, pixel_findings
from tomodrgn.core.inspection.sample import (
    draw_particles,
    heights_from_defocus,
    load_sample,
    without_rows,
)
from tomodrgn.core.inspection.state import NoiseEvidence, load_noise_sample
from tomodrgn.core.inspection.upstream_mask import with_upstream_mask
from tomodrgn.core.interfaces import DoubtingReader, Reader, ReaderContext
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.particles.image_state import declare_state, is_ctf_state_open, settled
from tomodrgn.core.particles.possible import refuse_impossible
from tomodrgn.core.particles.selection import select
from tomodrgn.core.quoting import markdown_block, markdown_text
from tomodrgn.core.report.shown import ShownAsText
from tomodrgn.plugins.commands.check.figures import draw_acquisition, draw_maps
from tomodrgn.plugins.commands.check.gray_levels import gray_level_facts, gray_level_findings
from tomodrgn.plugins.commands.check.outcome import (
    N_GROUPS,
    Outcome,
    judge_contrast,
    tomogram_findings,
)
from tomodrgn.plugins.commands.check.page import page
from tomodrgn.plugins.commands.check.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.commands.check.spec import CheckSpec
    from tomodrgn.plugins.commands.check.verdicts import Judgement

logger = logging.getLogger(__name__)

REPORT: Final = "report.md"
RESULT: Final = "check.json"
MAP: Final = "map.mrc"
MAP_PICTURE: Final = "maps.png"
ACQUISITION_PICTURE: Final = "acquisition.png"


@dataclass(frozen=True, slots=True)
class _Trial:
    """What came of the trials on images."""

    sample: Sample
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Maps:
    """Maps of the sample, and the agreement of their halves, by name."""

    volumes: dict[str, NDArray[np.float32]]
    agreement: dict[str, NDArray[np.float64]]
    pixel_size_a: float


@dataclass(frozen=True, slots=True)
class Checked(ShownAsText):
    """An input that was checked, the folder of its report, and maps where images were tried."""

    stem: ClassVar[str] = "check"

    outcome: Outcome
    outdir: Path
    maps: Maps | None = None

    def page(self) -> str:
        """What is printed."""
        return f"{page(self.outcome)}The report is in {self.outdir}.\n"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.outcome.as_json()

    def draw(self, path: Path | str) -> None:
        """Draw the maps that the sample gives, as the input is and corrected.

        Args:
            path: of the picture, ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            DataError: no images were tried.
        """
        if self.maps is None:
            raise DataError(f"nothing to draw: {self.outcome.not_tried or 'no images were tried'}")
        draw_maps(Path(path), self.maps.volumes, self.maps.agreement, self.maps.pixel_size_a)

    @property
    def exit_code(self) -> int:
        """1 where something is wrong."""
        return int(self.outcome.result == "wrong")


def check(dataset: Dataset, spec: CheckSpec) -> Checked:
    """Check an input, and write the report.

    Args:
        dataset: the input; reader, selection and image state of its spec are used.
        spec: how closely to look, and where the report goes.

    Raises:
        DataError: the input cannot be read.
    """
    run = dataset.spec
    reader: Reader = dataset.registry.build(run.reader, ReaderContext())
    everything = reader.read()
    refuse_impossible(everything)
    everything = declare_state(everything, run.image_state, run.contrast)
    everything = _with_state(everything, reader, tests=spec.tests)
    particles = select(everything, run.dataset, 0 if run.seed is None else run.seed)
    contract = describe_set(particles, reader, run.reader.kind)
    is_given = getattr(run.reader, "pixel_size_a", None) is not None
    stated = metadata_findings(particles, contract, is_pixel_size_given=is_given)
    added = dataset.registry.additions("check", particles)
    of_plugins = (finding for _, findings in added for finding in findings)
    found = (*stated, *_open_states(particles), *_doubts(reader), *of_plugins)
    outcome = Outcome(contract=contract, findings=found)
    trial = None
    if not reader.has_images:
        nothing = Finding(
            "warning", "images", "the input has no tilt images", "train on a series of tilt images"
        )
        outcome = replace(
            outcome, findings=(*outcome.findings, nothing), not_tried="the input has no tilt images"
        )
    elif not spec.tests:
        outcome = replace(outcome, not_tried="--no-tests was given")
    elif blocking := outcome.blocking:
        outcome = replace(outcome, not_tried=blocking)
    else:
        looking_reader = looking(reader, particles, run.preparation)
        outcome, trial = _try(particles, looking_reader, spec, outcome)
    maps = None if trial is None else _maps_of(trial)
    _write(outcome, particles, maps, spec.outdir)
    return Checked(outcome, spec.outdir, maps)


def _with_state(particles: ParticleSet, reader: Reader, *, tests: bool) -> ParticleSet:
    """The set with the CTF state that images show where the input does not say it."""
    if not tests or not reader.has_images:
        return particles
    return settle_ctf_state(particles, reader) or particles


def _open_states(particles: ParticleSet) -> Iterator[Finding]:
    """That nobody knows whether images are CTF-premultiplied, where it is so."""
    if is_ctf_state_open(particles):
        text = f"{NOT_STATED}, and this cannot be decided"
        yield Finding("warning", "premultiplied", text, SAY_SO)


def _doubts(reader: Reader) -> Iterator[Finding]:
    """What the reader had to assume."""
    for doubt in reader.doubts if isinstance(reader, DoubtingReader) else ():
        yield Finding("warning", "images", doubt.assumed, doubt.remedy, leaves_open=True)


def _try(
    particles: ParticleSet, reader: Reader, spec: CheckSpec, outcome: Outcome
) -> tuple[Outcome, _Trial | None]:
    """The outcome with what images say."""
    particles = settled(particles, premultiplied=False)  # where nobody knows; others are tried
    heights = heights_from_defocus(particles)
    drawn = draw_particles(replace(particles, height_defocus_a=heights), spec.most_images)
    with show_progress("reading images") as progress:
        sample, pixels = load_sample(drawn, reader, n_groups=N_GROUPS, progress=progress)
    found = [*pixel_findings(pixels)]
    if isinstance(reader, NormalizingReader):
        facts = gray_level_facts(reader)
        outcome = replace(outcome, gray_levels=facts)
        found += gray_level_findings(facts, pixels.damaged, pixels.n_images)
    outcome = replace(outcome, findings=(*outcome.findings, *found))
    if blocking := outcome.blocking:
        return replace(outcome, not_tried=blocking), None
    sample = without_rows(sample, pixels.unusable)
    sample = with_upstream_mask(sample)
    with show_progress("reading noise") as progress:
        noise = NoiseEvidence(load_noise_sample(drawn, reader, progress))
    with show_progress("trying assumptions") as progress:
        judgement = judge(sample, progress, noise)
    names = np.unique(drawn.tomogram).tolist()
    findings = (
        *outcome.findings,
        *tomogram_findings(judgement, sample.tomogram, names),
    )
    return replace(
        outcome,
        findings=findings,
        verdicts=(
            judge_contrast(sample, judgement),
            *judgement.verdicts,
        ),
        n_particles=sample.n_particles,
        n_images=len(sample.images),
        resolution_a=2 * sample.pixel_size_a,
        signal_z=judgement.signal_z,
        excess_z=judgement.excess_z,
    ), _Trial(sample, judgement)


def _maps_of(trial: _Trial) -> Maps:
    """The map as given, and then the corrected one where it is another."""
    given, best = trial.judgement.given, trial.judgement.corrected
    tried = {"as given": given} if best is given else {"as given": given, "corrected": best}
    return Maps(
        {name: each.maps.mean(0) for name, each in tried.items()},
        {name: each.agreement for name, each in tried.items()},
        trial.sample.pixel_size_a,
    )


def _write(outcome: Outcome, particles: ParticleSet, maps: Maps | None, outdir: Path) -> None:
    """Report, result, pictures and map."""
    begin_results(outdir)
    pictures = []
    if particles.n_images:
        images = particles.images
        draw_acquisition(outdir / ACQUISITION_PICTURE, images.tilt_deg, images.dose_e_per_a2)
        pictures.append(ACQUISITION_PICTURE)
    if maps is not None:
        draw_maps(outdir / MAP_PICTURE, maps.volumes, maps.agreement, maps.pixel_size_a)
        write_volume(outdir / MAP, [*maps.volumes.values()][-1], maps.pixel_size_a)
        pictures.append(MAP_PICTURE)
    shown = "\n".join(f"![{name}]({name})\n" for name in pictures)
    title = f"# Check of {markdown_text(str(outcome.contract.path))}"
    said = markdown_block(page(outcome))
    write_text_atomic(outdir / REPORT, f"{title}\n\n{said}\n{shown}")
    write_text_atomic(outdir / RESULT, json.dumps(outcome.as_json(), indent=1) + "\n")
