"""What every component promises, whatever its family."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.components import Component
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.base import Spec


class ComponentContract:
    """Tests of one component: a subclass of the contract of its family sets ``spec``.

    A spec that needs files overrides :meth:`make_spec` instead.
    """

    family: ClassVar[str]
    spec: ClassVar[Spec]

    def make_spec(self, _folder: Path) -> Spec:
        """The spec under test; files that it names go to the folder."""
        return self.spec

    @pytest.fixture
    def own_spec(self, tmp_path: Path) -> Spec:
        return self.make_spec(tmp_path)

    @pytest.fixture
    def component(self, own_spec: Any, installed_components: Registry) -> Component:
        return installed_components.get(self.family, own_spec.kind)

    def test_component_is_the_one_of_the_spec(self, component: Component, own_spec: Spec) -> None:
        assert component.spec is type(own_spec)

    def test_kind_is_a_snake_case_name(self, component: Component) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", component.kind)

    def test_summary_is_one_line(self, component: Component) -> None:
        assert component.summary.strip() == component.summary != ""
        assert "\n" not in component.summary

    def test_spec_survives_json(self, own_spec: Spec) -> None:
        assert type(own_spec).model_validate_json(own_spec.model_dump_json()) == own_spec

    def test_every_option_is_documented(self, own_spec: Spec) -> None:
        fields = type(own_spec).model_fields
        bare = [name for name, f in fields.items() if name != "kind" and not f.description]
        assert not bare, f"options without a docstring: {', '.join(bare)}"

    def test_spec_imports_without_torch(self, own_spec: Spec) -> None:
        code = f"import {type(own_spec).__module__}, sys; sys.exit('torch' in sys.modules)"
        finished = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603
        assert finished.returncode == 0, "importing the spec imports torch; name it in the factory"

    def test_factory_can_be_imported(self, component: Component) -> None:
        assert callable(component.load())
