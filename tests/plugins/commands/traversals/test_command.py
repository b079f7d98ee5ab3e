from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.pickles import load_pickles, read_latents, write_latents, write_pickle
from tomodrgn.plugins.commands.traversals.command import find_umap, graph_traversal, pc_traversal
from tomodrgn.plugins.commands.traversals.spec import GraphTraversalSpec, PcTraversalSpec


@pytest.fixture
def latents(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "z.4.pkl"
    values = np.random.default_rng(0).normal(size=(200, 3)) * [5, 2, 1]
    write_latents(path, values, np.zeros_like(values))
    return path


def test_every_component_has_a_file_of_latents(
    latents: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    written = pc_traversal(PcTraversalSpec(latents=latents, outdir=tmp_path / "pc"))
    assert [path.name for path in written] == ["pc1.txt", "pc2.txt", "pc3.txt"]
    assert all(read_latents(path)[0].shape == (10, 3) for path in written)
    steps = np.diff(read_latents(written[0])[0], axis=0)
    assert np.allclose(steps, steps[0], atol=1e-5)
    assert caplog.text.count("particles within 3 of each place") == 3


def test_percentile_spacing_is_denser_where_particles_are(latents: Path, tmp_path: Path) -> None:
    spec = PcTraversalSpec(
        latents=latents, outdir=tmp_path, dim=1, n=11, lim=(0, 100), use_percentile_spacing=True
    )
    (path,) = pc_traversal(spec)
    lengths = np.linalg.norm(np.diff(read_latents(path)[0], axis=0), axis=1)
    assert lengths[4:6].max() < lengths[[0, -1]].min()


def test_a_component_beyond_the_latents_is_refused(latents: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"3 dimensions, --dim 4 is none of them; give 1 to 3"):
        pc_traversal(PcTraversalSpec(latents=latents, outdir=tmp_path / "pc", dim=4))
    assert not (tmp_path / "pc").exists()


@pytest.mark.usefixtures("rendered")
def test_a_way_from_particle_to_particle_is_written(latents: Path, tmp_path: Path) -> None:
    places = np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32)
    write_pickle(latents.parent / "analyze.4" / "umap.pkl", places)
    spec = GraphTraversalSpec(latents=latents, anchors=(3, 77, 5), outdir=tmp_path / "way")
    text, indices, embeddings = graph_traversal(spec)
    rows = [int(line) for line in text.read_text().split()]
    assert rows[0] == 3
    assert rows[-1] == 5
    assert 77 in rows
    assert load_pickles(indices)[0] == rows
    assert np.array_equal(read_latents(embeddings)[0], read_latents(latents)[0][rows])
    pictures = {path.name for path in (tmp_path / "way").glob("*.png")}
    assert pictures == {
        "latent_graph.png", "latent_graph_path.png", "umap_graph.png", "umap_graph_path.png"
    }  # fmt: skip


def test_an_unknown_anchor_is_refused(latents: Path, tmp_path: Path) -> None:
    spec = GraphTraversalSpec(latents=latents, anchors=(3, 200), outdir=tmp_path / "way")
    with pytest.raises(DataError, match=r"no particle 200; .* has particles 0 to 199"):
        graph_traversal(spec)
    assert not (tmp_path / "way").exists()


def test_a_umap_of_other_particles_is_not_used(latents: Path) -> None:
    path = latents.parent / "analyze.4" / "umap.pkl"
    write_pickle(path, np.zeros((7, 2), np.float32))
    assert find_umap(latents, 200) is None
    assert find_umap(latents.with_name("other.pkl"), 200) is None
    write_pickle(path, np.zeros((200, 2), np.float32))
    assert find_umap(latents, 200) is not None


def test_latents_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "z.pkl"
    write_pickle(path, np.full((4, 2), np.nan))
    with pytest.raises(DataError, match="4 of them not finite"):
        pc_traversal(PcTraversalSpec(latents=path, outdir=tmp_path))
