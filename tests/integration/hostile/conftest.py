"""What is printed of names that are no text must not stop those who run the tests."""

from __future__ import annotations

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Workers of pytest-xdist send what was printed as UTF-8, which cannot say all of it."""
    report = yield
    report.sections = [(name, _sayable(text)) for name, text in report.sections]
    if report.longrepr is not None and not report.passed:
        report.longrepr = _sayable(str(report.longrepr))
    return report


def _sayable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
