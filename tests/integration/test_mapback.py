"""Particles are drawn where they are, as a user calls it and as ChimeraX reads it."""

from __future__ import annotations

import pickle
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from tests.core.placement.chimerax_reading import Scene, read_markers, read_scene
from tests.integration.conftest import SMALL_NETWORK, Command
from tomodrgn.core.cli.main import cli
from tomodrgn.core.files.mrc import read_volume, write_volume
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.geometry.rotations import euler_from_matrices, random_rotations
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.manager import load_plugins
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.mapback.transforms import map_centre_a

N, N_TOMOGRAMS, BOX_PX, PIXEL_A = 12, 3, 32, 10.0
MapBack = Callable[..., Result]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images without noise, damage or contrast transfer, the first of each particle untilted."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("simulated"),
        n_particles=N,
        n_classes=2,
        box_size_px=BOX_PX,
        pixel_size_a=PIXEL_A,
        n_tilts=3,
        n_tomograms=N_TOMOGRAMS,
        ctf=False,
        snr=None,
        dose_per_tilt_e_per_a2=0.0,
        motion_range_deg=(0.0, 0.0),
        format="warptools",
        origin_shift_px=3.0,
    )
    return simulate(spec).parent


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The built-in components."""
    return Registry(load_plugins(external=(), modules=()))


@pytest.fixture(scope="module")
def map_back() -> MapBack:
    def call(*words: object, check: bool = True) -> Result:
        result = CliRunner().invoke(cli, ["subtomo2chimerax", *map(str, words)])
        assert (result.exit_code == 0) is check, result.output
        assert check or "Traceback" not in result.output
        return result

    return call


def scripts(folder: Path) -> list[Path]:
    return sorted(folder.glob("tomo_*/mapback.cxc"))


def placed_centres(scene: Scene) -> NDArray[np.float64]:
    """(n, 3) where the centers of the maps are drawn."""
    sizes = [read_volume(path) for path in scene.maps]
    centres = np.stack([map_centre_a(volume.shape, size) for volume, size in sizes])
    points = np.concatenate([centres[scene.model - 1], np.ones((len(scene.model), 1))], axis=1)
    placed: NDArray[np.float64] = np.einsum("nij,nj->ni", scene.transforms, points)
    return placed


@pytest.mark.parametrize("star", ["volumes.star", "optimisation_set.star"])
def test_markers_are_within_half_a_pixel_of_the_truth(
    simulated: Path, map_back: MapBack, tmp_path: Path, star: str
) -> None:
    map_back(simulated / star, "--outdir", tmp_path)
    found = np.concatenate([read_markers(script)[0] for script in scripts(tmp_path)])
    truth = np.load(simulated / "positions.npy")
    assert np.abs(found - truth).max() < 0.5 * PIXEL_A / 10


@pytest.mark.parametrize("star", ["volumes.star", "optimisation_set.star"])
def test_maps_are_within_half_a_pixel_of_the_truth_and_turned_as_it(
    simulated: Path, map_back: MapBack, tmp_path: Path, star: str
) -> None:
    map_back(simulated / star, "--outdir", tmp_path, *classes_of(simulated))
    scenes = [read_scene(script) for script in scripts(tmp_path)]
    centres = np.concatenate([placed_centres(scene) for scene in scenes])
    assert np.abs(centres - np.load(simulated / "positions.npy")).max() < 0.5 * PIXEL_A / 10
    rotation = np.concatenate([scene.transforms[:, :, :3] for scene in scenes])
    np.testing.assert_allclose(rotation, np.load(simulated / "orientations.npy"), atol=1e-6)
    gram = rotation @ rotation.swapaxes(1, 2)
    assert np.abs(gram - np.eye(3)).max() < 1e-6


def classes_of(simulated: Path) -> list[object]:
    return ["--class-volumes", simulated / "maps", "--class-labels", simulated / "labels.pkl"]


def test_placed_maps_project_onto_the_images_of_their_particles(
    simulated: Path, map_back: MapBack, tmp_path: Path, registry: Registry
) -> None:
    map_back(simulated / "volumes.star", "--outdir", tmp_path, *classes_of(simulated))
    scenes = [read_scene(script) for script in scripts(tmp_path)]
    images = untilted_images(simulated / "optimisation_set.star", registry)
    positions_a = np.load(simulated / "positions.npy")
    placed: list[float] = []
    reflected: list[float] = []
    for scene in scenes:
        assert scene.particle is not None
        for model, transform, particle in zip(
            scene.model, scene.transforms, scene.particle, strict=True
        ):
            volume, _ = read_volume(scene.maps[model - 1])
            image, shift_px = images[particle]
            seen_at_px = BOX_PX // 2 - shift_px - positions_a[particle, :2] / PIXEL_A
            for found, shown in ((placed, volume), (reflected, volume[:, :, ::-1])):
                projection = project(shown, transform, seen_at_px)
                found.append(abs(np.corrcoef(projection.flat, blur(image).flat)[0, 1]))
    assert min(placed) > 0.99
    assert max(reflected) < 0.9


def untilted_images(
    star: Path, registry: Registry
) -> dict[int, tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Image of each particle, by its index, and the shift that would center it."""
    kind = registry.identify_reader(star)
    spec = registry.get("reader", kind).spec.model_validate({"kind": kind, "path": star})
    reader = registry.build(spec, ReaderContext())
    particles = reader.read()
    untilted = np.flatnonzero(np.abs(particles.images.tilt_deg) < 1e-3)
    pixels = reader.load_images(particles.source_image[untilted])
    index = particles.source_particle[particles.particle_of_image[untilted]]
    shifts_px = particles.images.shift_px[untilted]
    return {int(i): (p, t) for i, p, t in zip(index, pixels, shifts_px, strict=True)}


def project(
    volume: NDArray[np.float32], transform: NDArray[np.float64], seen_at_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A placed map seen along z of its tomogram, with the origin of the tomogram at a pixel."""
    z, y, x = np.indices(volume.shape).reshape(3, -1)
    points_a = np.stack([x, y, z, np.full(x.shape, 1 / PIXEL_A)]) * PIXEL_A
    px = (transform @ points_a)[:2] / PIXEL_A + seen_at_px[:, None]
    edges = np.arange(BOX_PX + 1) - 0.5
    return blur(np.histogram2d(px[1], px[0], bins=[edges, edges], weights=volume.ravel())[0])


def blur(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """An image without what the nearest pixel does to points between pixels."""
    freqs = np.fft.fftfreq(BOX_PX)
    falloff = np.exp(-2 * np.pi**2 * (freqs**2 + freqs[:, None] ** 2))
    return np.fft.ifft2(np.fft.fft2(image) * falloff).real


def test_five_thousand_particles_need_a_map_for_each_class(
    map_back: MapBack, tmp_path: Path
) -> None:
    n, n_classes = 5000, 20
    star = write_volume_series(tmp_path / "volumes.star", n, tomograms=("TS_1", "TS_10", "TS_2"))
    volume = np.zeros((8, 8, 8), dtype=np.float32)
    volume[3:6, 3:6, 3:6] = 1
    for number in range(n_classes):
        write_volume(tmp_path / "classes" / f"vol_{number:03d}.mrc", volume, 10.0)
    labels = tmp_path / "classes" / "labels.pkl"
    labels.write_bytes(pickle.dumps(np.arange(n) * 7 % n_classes))
    start = time.process_time()
    map_back(star, "--outdir", tmp_path / "out", "--class-volumes", tmp_path / "classes")
    assert time.process_time() - start < 20  # 1 s on one core of a laptop
    assert len(list((tmp_path / "out").rglob("*.mrc"))) == n_classes
    scenes = [read_scene(script) for script in scripts(tmp_path / "out")]
    assert sum(len(scene.model) for scene in scenes) == n
    assert all(len(set(scene.maps)) == len(scene.maps) <= 50 for scene in scenes)


def write_volume_series(path: Path, n: int, tomograms: tuple[str, ...]) -> Path:
    """A volume series with columns of every kind, particles of all tomograms in turn."""
    rng = np.random.default_rng(11)
    euler = euler_from_matrices(random_rotations(n, rng))
    rows = [
        f"{tomograms[i % len(tomograms)]}\t{x:.3f}\t{y:.3f}\t{z:.3f}\t{a:.6f}\t{b:.6f}\t{c:.6f}"
        f"\t10.0\t{i % 3}\t{i / n:.6f}\tset_{i % 2}"
        for i, ((x, y, z), (a, b, c)) in enumerate(
            zip(rng.uniform(0, 400, (n, 3)), euler, strict=True)
        )
    ]
    names = ["MicrographName", "CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot"]
    names += ["AngleTilt", "AnglePsi", "DetectorPixelSize", "ClassNumber", "Score", "Helper"]
    header = [f"_rln{name} #{i}" for i, name in enumerate(names, start=1)]
    path.write_text("\n".join(["data_", "", "loop_", *header, *rows, ""]))
    return path


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return write_volume_series(tmp_path / "series.star", 30, tomograms=("TS_1", "TS_10"))


@pytest.mark.parametrize("column", ["rlnClassNumber", "_rlnScore", "rlnHelper", "tomogram"])
@pytest.mark.parametrize("colormap", [(), ("--colormap", "coolwarm"), ("--colormap", "tab20")])
def test_particles_are_colored_by_any_column(
    series: Path, map_back: MapBack, tmp_path: Path, column: str, colormap: tuple[str, ...]
) -> None:
    map_back(series, "--outdir", tmp_path, "--color-by", column, *colormap)
    colors = [read_markers(script)[1] for script in scripts(tmp_path)]
    different = {"rlnClassNumber": 3, "_rlnScore": 12, "rlnHelper": 2, "tomogram": 2}[column]
    assert len({name for names in colors for name in names}) >= different


@pytest.mark.parametrize(
    "labels", [np.array([5, 70, -1]), np.array([0.1, 0.7, 0.2]), ["apo", "bound", "x y"]]
)
def test_labels_may_be_anything(
    series: Path, map_back: MapBack, tmp_path: Path, labels: object
) -> None:
    path = tmp_path / "labels.pkl"
    path.write_bytes(pickle.dumps(np.tile(np.asarray(labels), 10)))
    map_back(series, "--outdir", tmp_path, "--coloring-labels", path)
    names = read_markers(tmp_path / "tomo_TS_1" / "mapback.cxc")[1]  # particles 0, 2, 4, ...
    assert names[:3] == names[3:6]
    assert len(set(names)) == 3
    assert "Label : " in (tmp_path / "tomo_TS_1" / "rgba_labels.txt").read_text()


def test_labels_follow_a_selection_of_particles(
    series: Path, map_back: MapBack, tmp_path: Path
) -> None:
    everyone, kept = np.arange(30) % 4, np.array([3, 8, 4, 21])
    (tmp_path / "ind.pkl").write_bytes(pickle.dumps(kept))
    (tmp_path / "all.pkl").write_bytes(pickle.dumps(everyone))
    (tmp_path / "kept.pkl").write_bytes(pickle.dumps(everyone[np.sort(kept)]))
    written = []
    for labels in ("all.pkl", "kept.pkl"):
        words = ("--ind", tmp_path / "ind.pkl", "--coloring-labels", tmp_path / labels)
        map_back(series, "--outdir", tmp_path / labels[:-4], *words)
        written.append([script.read_text() for script in scripts(tmp_path / labels[:-4])])
    assert written[0] == written[1]
    assert sum(text.count("marker") for text in written[0]) == 4


def test_maps_and_labels_may_be_those_of_the_one_tomogram(
    series: Path, map_back: MapBack, tmp_path: Path
) -> None:
    everyone, of_it = np.arange(30) % 7, np.arange(1, 30, 2) % 7  # every other one in TS_10
    for number, label in enumerate(of_it):
        volume = np.full((6, 6, 6), label, dtype=np.float32)
        write_volume(tmp_path / "vols" / f"vol_{number:03d}.mrc", volume, 4.0)
    (tmp_path / "all.pkl").write_bytes(pickle.dumps(everyone))
    (tmp_path / "of_it.pkl").write_bytes(pickle.dumps(of_it))
    written = []
    for labels in ("all.pkl", "of_it.pkl"):
        words = ("--vols-dir", tmp_path / "vols", "--coloring-labels", tmp_path / labels)
        map_back(series, "-o", tmp_path / "one.cxc", "--tomoname", "TS_10", *words, "--overwrite")
        written.append((tmp_path / "one.cxc").read_text())
    assert written[0] == written[1]
    assert [path.stem for path in read_scene(tmp_path / "one.cxc").maps] == [
        f"vol_{number:03d}" for number in range(15)
    ]


def test_row_order_moves_no_particle(series: Path, map_back: MapBack, tmp_path: Path) -> None:
    lines = series.read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("TS_"))
    shuffled = tmp_path / "shuffled.star"
    shuffled.write_text("\n".join([*lines[:first], *sorted(lines[first:]), ""]))
    found = []
    for star in (series, shuffled):
        map_back(star, "--outdir", tmp_path / star.stem, "--color-by", "rlnScore")
        found.append({s.parent.name: sorted(s.read_text().splitlines())
                      for s in scripts(tmp_path / star.stem)})  # fmt: skip
    assert found[0] == found[1]


def test_one_tomogram_is_written_under_the_name_given(
    series: Path, map_back: MapBack, tmp_path: Path
) -> None:
    result = map_back(series, "-o", tmp_path / "out" / "ts1.cxs", "--tomoname", "TS_1")
    assert "ChimeraX takes a file that ends in .cxs for a session" in result.stderr
    assert len(read_markers(tmp_path / "out" / "ts1.cxc")[0]) == 15
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "ts1.cxc",
        "ts1_rgba_labels.txt",
    }


def test_maps_in_a_folder_are_placed_in_the_order_of_the_particles(
    series: Path, map_back: MapBack, tmp_path: Path
) -> None:
    for number in range(30):
        volume = np.full((6, 6, 6), 0, dtype=np.float32)
        volume[2:5, 2:5, 2:5] = number + 1
        write_volume(tmp_path / "vols" / f"vol_{number}.mrc", volume, 4.0)
    words = ("--vols-dir", tmp_path / "vols", "--vols-apix-override", 5, "--outdir", tmp_path)
    map_back(series, *words)
    scene = read_scene(tmp_path / "tomo_TS_10" / "mapback.cxc")
    assert [path.name for path in scene.maps] == [f"vol_{i}.mrc" for i in range(1, 30, 2)]
    map_back(series, "-o", tmp_path / "m.cxc", "--tomoname", "TS_10")
    centres = scene.transforms @ [15, 15, 15, 1]
    np.testing.assert_allclose(centres, read_markers(tmp_path / "m.cxc")[0], atol=1e-3)
    assert "voxelSize 5" in (tmp_path / "tomo_TS_10" / "mapback.cxc").read_text()


def test_folder_can_be_moved(simulated: Path, map_back: MapBack, tmp_path: Path) -> None:
    star, volume = simulated / "volumes.star", simulated / "maps" / "class_0.mrc"
    map_back(star, "--vol-path", volume, "--outdir", tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    for script in scripts(tmp_path / "there"):
        (path,) = read_scene(script).maps
        assert read_volume(path)[1] == pytest.approx(PIXEL_A)


def test_foreign_origin_and_pixel_size_of_a_map_do_not_move_it(
    simulated: Path, map_back: MapBack, tmp_path: Path
) -> None:
    path = tmp_path / "foreign.mrc"
    write_volume(path, read_volume(simulated / "maps" / "class_0.mrc")[0], 1.0)
    content = bytearray(path.read_bytes())
    content[16:28] = np.array([-16, -16, -16], dtype="<i4").tobytes()  # nxstart, nystart, nzstart
    content[196:208] = np.array([50, 60, 70], dtype="<f4").tobytes()  # origin
    path.write_bytes(bytes(content))
    star = simulated / "volumes.star"
    map_back(star, "--outdir", tmp_path, "--vol-path", path, "--vols-apix-override", PIXEL_A)
    copy = (tmp_path / "maps" / "foreign.mrc").read_bytes()
    assert np.frombuffer(copy, "<i4", 3, 16).tolist() == [0, 0, 0]
    assert np.frombuffer(copy, "<f4", 3, 196).tolist() == [0, 0, 0]
    centres = np.concatenate([placed_centres(read_scene(s)) for s in scripts(tmp_path)])
    assert np.abs(centres - np.load(simulated / "positions.npy")).max() < 0.5 * PIXEL_A / 10


@pytest.fixture(scope="module")
def run(simulated: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run trained on the set."""
    outdir = tmp_path_factory.mktemp("run") / "run"
    star = simulated / "optimisation_set.star"
    tomodrgn("train_vae", star, "-o", outdir, *SMALL_NETWORK, "-n", 2)
    return outdir


def test_run_alone_makes_a_map_of_each_latent_in_its_place(
    simulated: Path, run: Path, map_back: MapBack, tmp_path: Path
) -> None:
    words = ("--mode", "volumes", "-d", 16, "--flip", "--accelerator", "cpu")
    map_back(run, "--outdir", tmp_path, "--tomoname", "sim_002.tomostar", *words)
    (script,) = scripts(tmp_path)
    latents, _ = read_latents(run / "z.pkl")
    of_tomogram = slice(N // N_TOMOGRAMS, 2 * N // N_TOMOGRAMS)
    np.testing.assert_allclose(
        read_latents(script.with_name("z_values.pkl"))[0], latents[of_tomogram]
    )
    scene = read_scene(script)
    assert [path.name for path in scene.maps] == [f"vol_{i:03d}.mrc" for i in range(4)]
    centre_a = map_centre_a((16, 16, 16), 2 * PIXEL_A)
    centres = scene.transforms @ [*centre_a, 1]
    truth = np.load(simulated / "positions.npy")[of_tomogram]
    assert np.abs(centres - truth).max() < 0.5 * PIXEL_A / 10
    before = script.read_text()
    map_back(run, "--outdir", tmp_path, "--tomoname", "sim_002.tomostar", *words, "--skip-vol")
    assert script.read_text() == before


def test_latents_of_a_run_reach_particles_of_another_file_by_name(
    simulated: Path, run: Path, map_back: MapBack, tmp_path: Path
) -> None:
    lines = (simulated / "volumes.star").read_text().splitlines()
    rows = [i for i, line in enumerate(lines) if line.startswith("sim_") or "\tsim_" in line]
    other = [lines[i] for i in reversed(rows)]
    star = tmp_path / "reversed.star"
    star.write_text("\n".join([*lines[: rows[0]], *other, ""]))
    for name, path in (("run", run), ("file", star)):
        config = () if name == "run" else ("--config", run)
        map_back(path, "--outdir", tmp_path / name, "--color-by", "z0", *config)
    for script in scripts(tmp_path / "run"):
        same = tmp_path / "file" / script.relative_to(tmp_path / "run")
        assert sorted(markers_of(script)) == sorted(markers_of(same))


def markers_of(script: Path) -> list[tuple[tuple[float, ...], str]]:
    """Places to the angstrom, and colors."""
    places, colors = read_markers(script)
    rounded = [tuple(place) for place in places.round().tolist()]
    return list(zip(rounded, colors, strict=True))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tomoname", "TS"), "there is no tomogram 'TS'. Did you mean 'TS_1'"),
        (("--color-by", "rlnScor"), "has no column rlnScor. Did you mean 'rlnScore'?"),
        (("--color-by", "z0"), "is no run directory, so nothing is known of its latents; name"),
        (("--color-by", "rlnScore", "--colormap", "virdis"), "Did you mean 'viridis'?"),
        (("--coloring-labels", "ind.pkl"), "has 3 labels; .* has 30 particles, and 30 are"),
        (("--vol-path", "none.mrc"), "none.mrc: cannot be read: No such file or directory"),
        (("--vol-path", "nan.mrc"), "nan.mrc: 1 of 64 voxels are not finite numbers; reconstruct"),
        (("--vols-dir", "classes"), "has 2 maps; .* has 30 particles, and 30 are selected"),
        (("--class-volumes", "classes"), "classes/labels.pkl: is missing; give the class of"),
        (
            ("--class-volumes", "classes", "--class-labels", "labels.txt"),
            "class 2 needs one map with this number in its name, found no map; .* there: 0, 1",
        ),
        (("--mode", "volumes"), "is no run directory"),
        (("--tomo-id-col", "rlnTomo"), "has no column rlnTomo"),
    ],
)
def test_fault_is_one_message_and_leaves_nothing(
    series: Path,
    map_back: MapBack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ind.pkl").write_bytes(pickle.dumps(np.array([0, 1, 2])))
    Path("labels.txt").write_text("0\n1\n2\n" * 10)
    for number in range(2):
        write_volume(Path("classes") / f"{number}.mrc", np.ones((4, 4, 4), np.float32), 1.0)
    whole = Path("classes/0.mrc").read_bytes()
    Path("nan.mrc").write_bytes(whole[:-4] + np.float32(np.nan).tobytes())
    result = map_back(series, "--outdir", "out", *words, check=False)
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert re.search(message, line), line
    assert not list(Path("out").rglob("*.cxc"))


def test_image_series_without_coordinates_says_what_to_give(
    star: Path, map_back: MapBack, tmp_path: Path
) -> None:
    result = map_back(star, "--outdir", tmp_path, check=False)
    assert "has no coordinates of particles in their tomograms; give the STAR" in result.stderr


def test_several_tomograms_do_not_fit_one_script(
    series: Path, map_back: MapBack, tmp_path: Path
) -> None:
    result = map_back(series, "-o", tmp_path / "one.cxc", check=False)
    assert "one.cxc: holds one tomogram, and there are 2; choose one with --to" in result.stderr
