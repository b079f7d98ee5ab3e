"""subtomo2chimerax: options of both versions reach their fields."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from click.testing import CliRunner

from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.star import write_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from .conftest import RecordingPipeline


@pytest.fixture
def map_back(invoke: Callable[..., Result], pipeline: RecordingPipeline) -> Callable[..., Any]:
    """What the command asks the pipeline for."""

    def run(*words: object) -> Any:
        pipeline.calls.clear()
        result = invoke("subtomo2chimerax", "volumes.star", *words)
        assert result.exit_code == 0, result.output
        assert result.output == "mapback.cxc\n"
        ((_, (_, spec)),) = pipeline.calls
        return spec

    return run


def test_options_of_2022_reach_their_fields(map_back: Callable[..., Any]) -> None:
    words = ("-o", "a.cxs", "--tomoname", "TS_1", "--vols-dir", "vols", "--star-apix-override", 2)
    words += ("--vols-apix-override", 4, "--ind", "ind.pkl", "--vols-render-level", 0.1)
    words += ("--coloring-labels", "labels.pkl", "--matplotlib-colormap", "tab20")
    spec = map_back(*words, "--tomo-id-col", "_rlnMicrographName")
    assert (spec.out, spec.tomogram, spec.vols_dir) == (Path("a.cxs"), "TS_1", Path("vols"))
    assert (spec.pixel_size_a, spec.volume_pixel_size_a, spec.level) == (2.0, 4.0, 0.1)
    assert (spec.labels, spec.colormap) == (Path("labels.pkl"), "tab20")
    assert (spec.shown_as, spec.tomogram_column) == ("volumes", "_rlnMicrographName")


def test_options_of_later_versions_reach_their_fields(map_back: Callable[..., Any]) -> None:
    words = ("--outdir", "out", "--mode", "volumes", "--tomo-id-col-override", "rlnTomoName")
    words += ("--star-angpix-override", 2, "-w", "w.pkl", "-c", "run", "--zfile", "z.pkl")
    words += ("--flip", "--invert", "--downsample", 64, "--lowpass", 15, "--skip-vol")
    spec = map_back(*words, "--vol-render-level", 0.5, "--colormap", "viridis")
    assert (spec.flip, spec.invert, spec.downsample, spec.lowpass_a) == (True, True, 64, 15.0)
    assert (spec.weights, spec.config, spec.zfile) == (Path("w.pkl"), Path("run"), Path("z.pkl"))
    assert (spec.skip_vol, spec.level, spec.colormap) == (True, 0.5, "viridis")
    markers = map_back("--outdir", "out", "--marker-radius-angstrom", 50)
    assert (markers.shown_as, markers.marker_radius_a) == ("markers", 50.0)


def test_one_map_for_all(map_back: Callable[..., Any]) -> None:
    spec = map_back("--outdir", "out", "--mode", "volume", "--vol-path", "map.mrc")
    assert (spec.shown_as, spec.vol_path) == ("volume", Path("map.mrc"))


def test_a_missing_pixel_size_is_asked_for_by_the_option_of_this_command(tmp_path: Path) -> None:
    names = ("rlnTomoName", "rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
    star = tmp_path / "picks.star"
    write_table(star, pd.DataFrame(dict.fromkeys(names, "7"), index=[0]))
    words = ["subtomo2chimerax", str(star), "--outdir", str(tmp_path / "out")]
    refused = CliRunner().invoke(cli, words)
    assert refused.exit_code == 1
    assert "give it with --star-apix-override" in refused.output
    drawn = CliRunner().invoke(cli, [*words, "--star-apix-override", "2"])
    assert drawn.exit_code == 0, drawn.output
    assert "position 14.0000,14.0000,14.0000" in (tmp_path / "out/tomo_7/mapback.cxc").read_text()
