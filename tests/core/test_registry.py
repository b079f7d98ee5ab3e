"""The registry: one run spec from what is installed, and faults that say how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tomodrgn.core.errors import DataError, PluginError, SpecError
from tomodrgn.core.registry import Registry

from .conftest import GRID

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import PluginMaker

RUN: dict[str, Any] = {
    "seed": 7,
    "latent": {"dim": 8},
    "reader": {"kind": "warp_particleseries", "path": "particles.star"},
    "positional_encoding": {"kind": "gaussian", "sigma": 0.5},
    "encoder": {"kind": "tilt_set", "pooling": "mean"},
    "decoder": {"kind": "fourier_mlp"},
    "loss_weightings": [{"kind": "dose"}, {"kind": "tilt"}],
}
ANSWER = """
from tomodrgn.core.errors import DataError
from tomodrgn.core.hookspecs import hookimpl

@hookimpl
def tomodrgn_identify_reader(path):
    {body}
"""


def test_run_survives_json(registry: Registry) -> None:
    run = registry.parse(RUN)
    assert registry.run_spec.model_validate_json(run.model_dump_json()) == run


def test_optional_parts_may_be_absent(registry: Registry) -> None:
    run: Any = registry.parse({"reader": RUN["reader"], "decoder": RUN["decoder"]})
    assert run.encoder is None
    assert run.positional_encoding is None
    assert run.loss_weightings == ()


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"decoder": {"kind": "fourier_mpl"}},
            r"decoder: no installed plugin offers 'fourier_mpl'. Did you mean 'fourier_mlp'\?",
        ),
        ({"decoder": {"dim": 3}}, "decoder: kind is missing. Installed: fourier_mlp"),
        (
            {"positional_encoding": {"kind": "gaussian", "sgima": 1}},
            r"positional_encoding: gaussian has no option 'sgima'. Did you mean 'sigma'\?",
        ),
        (
            {"positional_encoding": {"kind": "gaussian", "sigma": -1}},
            "positional_encoding.sigma: input should be greater than 0, got -1",
        ),
        (
            {"loss_weightings": [{"kind": "dose"}, {"kind": "titl"}]},
            r"loss_weightings.1: no installed plugin offers 'titl'. Did you mean 'tilt'\?",
        ),
        ({"trainning": {}}, r"there is no field 'trainning'. Did you mean 'training'\?"),
        (
            {"training": {"btach_size": 3}},
            r"training: there is no field 'btach_size'. Did you mean 'batch_size'\?",
        ),
        (
            {"latent": {"beta": "q"}},
            "latent.beta: input should be a valid number, .*, or input should be 'a', .*, got 'q'",
        ),
        ({"reader": None}, "reader"),
        ({"exporters": [{"kind": "wax"}]}, "exporters.0: no installed plugin offers 'wax'"),
    ],
)
def test_fault_is_explained(registry: Registry, patch: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        registry.parse({**RUN, **patch})


def test_all_faults_are_shown_at_once(registry: Registry) -> None:
    faulty = {**RUN, "decoder": {"kind": "x"}, "color": 1, "training": {"num_epochs": 0}}
    with pytest.raises(SpecError) as caught:
        registry.parse(faulty)
    assert len(str(caught.value).splitlines()) == 3


def test_plugin_from_outside_joins_the_run_spec(make_plugins: PluginMaker) -> None:
    registry = Registry(make_plugins(grid=GRID))
    run: Any = registry.parse({**RUN, "decoder": {"kind": "grid", "edge": 4}})
    assert run.decoder.edge == 4
    assert registry.entry_of(run.decoder).plugin.name == "grid"


def test_clash_names_both_plugins_and_the_way_out(make_plugins: PluginMaker) -> None:
    registry = Registry(make_plugins(mine=GRID, yours=GRID))
    with pytest.raises(PluginError, match=r"mine \(mine\) and yours \(yours\); leave one out"):
        registry.parse({**RUN, "decoder": {"kind": "grid"}})


def test_clash_does_not_break_other_runs(make_plugins: PluginMaker) -> None:
    registry = Registry(make_plugins(mine=GRID, yours=GRID))
    assert registry.parse(RUN).seed == 7
    assert len(registry.faults) == 1


def test_component_without_kind_is_left_out_and_reported(make_plugins: PluginMaker) -> None:
    nameless = GRID.replace('kind: Literal["grid"] = "grid"', "size: int = 3")
    registry = Registry(make_plugins(nameless=nameless))
    assert registry.parse(RUN).seed == 7
    (fault,) = registry.faults
    assert "GridSpec has no usable kind" in fault.reason


def test_hook_that_raises_is_left_out_and_reported(make_plugins: PluginMaker) -> None:
    registry = Registry(
        make_plugins(raising=GRID.replace("yield", "raise ValueError(3)\n    yield"))
    )
    (fault,) = registry.faults
    assert fault.reason == "tomodrgn_decoders: ValueError: 3"


def test_build_calls_the_factory_with_spec_and_context(
    make_plugins: PluginMaker,
) -> None:
    factory = "def make(spec, context):\n    return spec.edge, context\n"
    source = GRID.replace("collections:OrderedDict", "grid:make") + factory
    registry = Registry(make_plugins(grid=source))
    run: Any = registry.parse({**RUN, "decoder": {"kind": "grid"}})
    assert registry.build(run.decoder, "context") == (8, "context")


def test_error_of_a_factory_names_the_plugin(make_plugins: PluginMaker) -> None:
    registry = Registry(make_plugins(grid=GRID))
    run: Any = registry.parse({**RUN, "decoder": {"kind": "grid"}})
    with pytest.raises(TypeError) as caught:
        registry.build(run.decoder, 3)
    assert caught.value.__notes__ == ["while building grid of grid"]


@pytest.fixture
def particles(tmp_path: Path) -> Path:
    path = tmp_path / "particles.xyz"
    path.write_text("")
    return path


def _auto(path: Path) -> dict[str, Any]:
    return {**RUN, "reader": {"kind": "auto", "path": str(path)}}


def test_auto_becomes_the_kind_that_understands_the_file(
    make_plugins: PluginMaker, particles: Path
) -> None:
    registry = Registry(make_plugins(mine=ANSWER.format(body="return 'warp_particleseries'")))
    run: Any = registry.parse(_auto(particles))
    assert run.reader.kind == "warp_particleseries"


def test_several_readers_for_a_file_are_listed(make_plugins: PluginMaker, particles: Path) -> None:
    plugins = make_plugins(
        one=ANSWER.format(body="return 'one'"), two=ANSWER.format(body="return 'two'")
    )
    with pytest.raises(DataError, match=r"several readers understand it: one \(one\), two \(two\)"):
        Registry(plugins).parse(_auto(particles))


def test_refusal_is_shown_when_no_reader_understands_the_file(
    registry: Registry, particles: Path
) -> None:
    with pytest.raises(DataError, match=r"particles.xyz"):
        registry.parse(_auto(particles))


def test_reader_that_crashes_does_not_hide_the_others(
    make_plugins: PluginMaker, particles: Path
) -> None:
    plugins = make_plugins(
        crash=ANSWER.format(body="return 1 / 0"), good=ANSWER.format(body="return 'good'")
    )
    assert Registry(plugins).identify_reader(particles) == "good"


def test_missing_file_is_refused(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        registry.parse(_auto(tmp_path / "nowhere.star"))


def test_file_to_come_is_checked_as_far_as_possible(registry: Registry, tmp_path: Path) -> None:
    coming = _auto(tmp_path / "coming.star")
    assert registry.parse(coming, pending=True).seed == 7
    with pytest.raises(SpecError, match="has no option 'color'"):
        registry.parse({**coming, "reader": {**coming["reader"], "color": 1}}, pending=True)
