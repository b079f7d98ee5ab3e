from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.report.chromium import try_page
from tomodrgn.core.report.page import Page, Table, page_text
from tomodrgn.core.report.points import Kinds, Places, ReportPoints, encode_points

HOSTILE = "</script><b>&'\""


def latents_of(n: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 8)).astype(np.float32)


def page_of(n: int, **more: Any) -> Page:
    """A page on particles of which each second one lies on the left of the map."""
    draw = np.random.default_rng(0)
    side = np.arange(n) % 2
    places = np.column_stack([side * 10 + draw.uniform(-1, 1, n), draw.normal(size=n)])
    latents = latents_of(n)
    points = ReportPoints(
        maps=[
            Places(name="PCA", axes=("a", "b"), places=places),
            Places(name="UMAP", axes=("a", "b"), places=latents[:, :2]),
            Places(
                name="Tomogram", axes=("x (Å)", "y (Å)"), places=latents[:, 2:4],
                has_scale=True, by_tomogram=True,
            ),
        ],
        kinds={
            "kmeans2": Kinds(codes=side, names=["0", "1"]),
            "tomogram": Kinds(codes=np.arange(n) % 5, names=[HOSTILE, *"bcde"]),
        },
        numbers={f"column {k}": draw.normal(size=n) for k in range(60)},
        index=np.arange(n) * 3 + 7,
        latents=latents,
    )  # fmt: skip
    parts: dict[str, Any] = {
        "title": HOSTILE, "subtitle": "", "facts": {"Source": HOSTILE}, "warnings": {},
        "verdict": "", "sections": {"Counts": [Table(caption="t", head=["a"], rows=[["TS", 5]])]},
        "details": {"All": HOSTILE},
        "points": encode_points(points, most_bytes=12_000_000).values,
        "palette": ["#0072b2", "#e69f00"], "gradient": ["#000000", "#ffffff"],
    }  # fmt: skip
    return Page(**(parts | more))


@pytest.fixture(scope="module")
def text() -> str:
    return page_text(page_of(1000))


def test_pages_name_no_address(text: str) -> None:
    without_points = re.sub(r'"[A-Za-z0-9+/=]{40,}"', "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<link (?!rel=\"icon\")", without_points)
    assert "default-src 'none'" in text


def test_names_from_files_cannot_become_markup(text: str) -> None:
    assert "<b>&" not in text
    assert text.count("</script>") == 2
    data = re.search(r'<script type="application/json" id="data">(.*)</script>', text)
    assert data is not None
    assert json.loads(data[1])["points"]["kinds"][1]["names"][0] == HOSTILE


def test_a_hundred_thousand_particles_fit_into_20_mb() -> None:
    assert len(page_text(page_of(100_000)).encode()) < 20e6 - 5e6  # 5 MB are for pictures


def test_silence_is_said(text: str) -> None:
    assert "Nothing stands out" in text
    warned = page_text(page_of(10, warnings={"unused latent": "latents say nothing"}))
    assert "Nothing stands out" not in warned
    assert "latents say nothing" in warned


@pytest.mark.parametrize("n", [200, 100_000])
def test_a_lasso_selects_particles_and_their_indices_are_saved(n: int, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_text(page_of(n)), encoding="utf-8")
    said = try_page(page, tmp_path)
    left = np.arange(0, n, 2)
    assert said["complaints"] == []
    assert said["requests"] == []
    assert said["rows"] == left.tolist()
    assert said["count"] == f"{n // 2:,} of {n:,} particles selected"
    assert said["indices"].split() == (left * 3 + 7).astype(str).tolist()
    saved = np.array(said["latents"].split(), dtype=np.float32).reshape(-1, 8)
    assert np.array_equal(saved, latents_of(n)[left])


def test_the_browser_tells_of_faults(tmp_path: Path) -> None:
    page = tmp_path / "faulty.html"
    fault = "<script>console.error('broken')</script><output id=\"selftest\">{}</output>"
    page.write_text(fault, encoding="utf-8")
    assert "broken" in try_page(page, tmp_path)["complaints"][0]
