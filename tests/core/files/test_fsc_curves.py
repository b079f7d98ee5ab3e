from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from tomodrgn.core.files.fsc_curves import write_fsc_text, write_fsc_xml

CURVE = np.array([1.0, 0.9, 0.5, 0.1, 0.0])


def test_text_has_a_row_for_each_shell(tmp_path: Path) -> None:
    write_fsc_text(tmp_path / "fsc.txt", CURVE, 2.0)
    table = np.loadtxt(tmp_path / "fsc.txt")
    np.testing.assert_allclose(table[:, 1], np.arange(5) / 8)
    np.testing.assert_allclose(table[:, 2], np.arange(5) / 16)
    np.testing.assert_allclose(table[:, 3], CURVE)


def test_xml_has_frequencies_in_reciprocal_angstrom_without_dc(tmp_path: Path) -> None:
    write_fsc_xml(tmp_path / "fsc.xml", CURVE, 2.0, title='class "a" & b')
    root = ElementTree.parse(tmp_path / "fsc.xml").getroot()  # noqa: S314  our own
    assert root.tag == "fsc"
    assert root.get("title") == 'class "a" & b'
    points = [[float(each.text or "") for each in point] for point in root]
    np.testing.assert_allclose(points, np.stack([np.arange(1, 5) / 16, CURVE[1:]], axis=1))
