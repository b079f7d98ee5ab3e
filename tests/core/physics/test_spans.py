from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.physics.spans import SPANS

RECORDED = {
    "voltage_kv": (80, 100, 120, 200, 300, 1000, 1250),
    "cs_mm": (0, 0.001, 0.01, 1.4, 2.0, 2.26, 2.7, 6.3),
    "amplitude_contrast": (0, 0.07, 0.1, 0.2, 0.5),
    "defocus_a": (-3000, 0, 150, 5000, 60_000, 150_000),
    "phase_shift_deg": (-10, 0, 0.5, 90, 175, 200),
    "angle_deg": (-180, 0, 179.9, 360, 540),
    "tilt_deg": (-72, 0, 66, 90),
    "dose_e_per_a2": (0, 3, 120, 250),
    "pixel_size_a": (0.33, 0.675, 1.35, 13.1, 53.4),
}
"""Values that files of real experiments hold."""


def test_recorded_values_are_allowed() -> None:
    assert RECORDED.keys() == SPANS.keys()
    for quantity, values in RECORDED.items():
        assert not SPANS[quantity].excludes(np.array(values, dtype=np.float32)).any()


@pytest.mark.parametrize(
    ("quantity", "value", "remedy"),
    [
        ("voltage_kv", 300_000, "if it is in V, divide by 1000"),
        ("voltage_kv", 0.3, "if it is in MV, multiply by 1000"),
        ("voltage_kv", -300, "correct the column"),
        ("cs_mm", 2700, "if it is in micrometers, divide by 1000"),
        ("cs_mm", 2.7e7, "if it is in A, divide by 1e+07"),
        ("amplitude_contrast", 7, "if it is in percent, divide by 100"),
        ("amplitude_contrast", 1, "correct the column"),
        ("amplitude_contrast", -0.1, "correct the column"),
        ("dose_e_per_a2", 12_000, r"if it is in e/nm\^2, divide by 100"),
        ("pixel_size_a", 1.2e-9, r"if it is in m, multiply by 1e\+10"),
        ("pixel_size_a", 0, "correct the column"),
        ("defocus_a", 3e6, "if it is in pm, divide by 100"),
        ("defocus_a", -3e6, "if it is in pm, divide by 100"),
        ("defocus_a", 5e8, "correct the column"),  # 5e6 A would be outside, too
        ("pixel_size_a", 5e-7, "correct the column"),
        ("cs_mm", 60, "if it is in micrometers, divide by 1000"),
        ("cs_mm", 1.2e6, "if it is in A, divide by 1e+07"),
        ("amplitude_contrast", 1.5, "if it is in percent, divide by 100"),
        ("dose_e_per_a2", 1000.5, r"if it is in e/nm\^2, divide by 100"),
        ("pixel_size_a", 1000.5, "if it is in pm, divide by 100"),
        ("defocus_a", 1_000_001, "if it is in pm, divide by 100"),
    ],
)
def test_values_outside_are_refused_with_their_likely_unit(
    quantity: str, value: float, remedy: str
) -> None:
    span = SPANS[quantity]
    assert span.excludes(np.array([value])).all()
    assert span.fault(value).endswith(remedy.replace("\\", ""))
    assert span.fault(value).startswith(f"outside of {span.low:g} to {span.high:g}")


@pytest.mark.parametrize("quantity", SPANS)
def test_what_a_remedy_makes_of_a_value_is_allowed(quantity: str) -> None:
    span = SPANS[quantity]
    for value in [sign * size for size in np.logspace(-14, 10, 200) for sign in (-1, 1)]:
        if span.excludes(np.array([value])).any() and "if it is in" in (fault := span.fault(value)):
            advice, number = fault.rsplit(" by ", 1)
            better = value / float(number) if advice.endswith("divide") else value * float(number)
            assert span.low <= better <= span.high, f"{value}: {fault}"


_PAGE = Path(__file__).parents[3] / "docs" / "image-formats.md"


def test_spans_are_those_that_the_page_promises() -> None:
    section = _PAGE.read_text().partition("## Numbers and their units")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line[:1] == "|"]
    promised = {name.strip(): allowed.strip() for name, allowed in rows}
    for name, quantity in {
        "acceleration voltage": "voltage_kv",
        "spherical aberration": "cs_mm",
        "amplitude contrast": "amplitude_contrast",
        "dose": "dose_e_per_a2",
        "pixel size": "pixel_size_a",
        "phase shift": "phase_shift_deg",
    }.items():
        span = SPANS[quantity]
        found = f"{span.low:g} to {span.high:g} {span.unit}".rstrip()
        assert promised[name].split(", ")[0] == found


@pytest.mark.parametrize(
    ("quantity", "limit"),
    [("tilt_deg", 180), ("angle_deg", 3600), ("phase_shift_deg", 360), ("defocus_a", 1e6)],
)
def test_angles_are_half_a_turn_one_and_ten_and_defocus_is_a_tenth_of_a_millimeter(
    quantity: str, limit: float
) -> None:
    values = np.array([-limit, limit, -limit * 1.0001, limit * 1.0001])
    assert SPANS[quantity].excludes(values).tolist() == [False, False, True, True]


@pytest.mark.parametrize("quantity", SPANS)
def test_allowed_values_in_another_unit_are_known_to_be_in_that(quantity: str) -> None:
    span = SPANS[quantity]
    for mistake in span.mistakes:
        for edge in (span.low, span.high):
            value = (
                0.999999 * edge / mistake.factor
                if edge == span.high
                else ((edge + 1e-6 * abs(edge)) / mistake.factor)
            )
            if span.excludes(np.array([value])).any():
                assert f"if it is in {mistake.unit}, " in span.fault(value)
