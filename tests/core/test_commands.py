"""Commands of plugins: one record, and they are words, steps, functions and methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tomodrgn.core.cli.main import cli, offered_commands
from tomodrgn.core.command_table import collect_commands
from tomodrgn.core.commands import resolve
from tomodrgn.core.data.calls import PythonCommand
from tomodrgn.core.data.doing import do
from tomodrgn.core.errors import PluginError, RunError, SpecError
from tomodrgn.core.manager import COMMAND_PLUGINS, load_plugins
from tomodrgn.core.registry import Registry
from tomodrgn.core.steps import Pipeline
from tomodrgn.core.testing.example_run import example_run
from tomodrgn.plugins import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import PluginMaker

COUNTING = '''
from __future__ import annotations
from pathlib import Path
from tomodrgn.plugin import Classic, Command, Run, Spec, hookimpl

class CountSpec(Spec):
    """How to count."""

    run: Path
    """Run directory."""
    times: int = 1
    """How often each particle counts."""

OPTIONS = (Classic("run", "run", needed=True), Classic("--times", "times"))

class Count:
    def __init__(self, n):
        self.n = n

    def page(self):
        return f"{self.n} particles\\n"

def count(run: Run, spec: CountSpec) -> Count:
    return Count(spec.times * run.particles.n_particles)

@hookimpl
def tomodrgn_commands():
    yield Command(
        name="count", summary="Count particles.", takes="run", function=f"{__name__}:count",
        spec=f"{__name__}:CountSpec", options=f"{__name__}:OPTIONS",
    )
'''


@pytest.fixture
def plugged(make_plugins: PluginMaker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Built-in plugins and one that counts, for the command line too."""
    monkeypatch.setenv("TOMODRGN_PLUGINS", "counting")
    offered_commands.cache_clear()
    yield Registry(make_plugins(counting=COUNTING))
    offered_commands.cache_clear()


@pytest.fixture
def run(plugged: Registry, tmp_path: Path) -> Path:
    return example_run(tmp_path, plugged).directory


def test_a_command_of_a_plugin_is_a_word(plugged: Registry, run: Path) -> None:
    assert "count" in plugged.commands
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert "Count particles." in shown
    assert "--times" in CliRunner().invoke(cli, ["count", "--help"]).output
    done = CliRunner().invoke(cli, ["count", str(run), "--times", "2"])
    assert (done.exit_code, done.output) == (0, "6 particles\n")


def test_a_command_of_a_plugin_is_a_method_and_a_function(plugged: Registry, run: Path) -> None:
    from tomodrgn.core.data.run import Run

    opened = Run(run, plugged)
    assert opened.count(times=3).n == 9
    assert "count" in dir(opened)
    assert PythonCommand(plugged.command("count"), plugged)(run).n == 3


def test_a_command_of_a_plugin_is_a_step(plugged: Registry, run: Path, tmp_path: Path) -> None:
    pipeline = tmp_path / "pipeline.yaml"
    pipeline.write_text(f"steps:\n- count: {{run: {run}, times: 2}}\n")
    plan = Pipeline(pipeline, plugged)
    (step,) = plan.steps
    assert plan.run(step) == [str(run / "count")]


def test_a_step_that_finds_something_wrong_stops_the_job(
    make_plugins: PluginMaker, tmp_path: Path
) -> None:
    failing = COUNTING.replace("class Count:", "class Count:\n    exit_code = 1\n")
    registry = Registry(make_plugins(counting=failing))
    run = example_run(tmp_path, registry).directory
    pipeline = tmp_path / "pipeline.yaml"
    pipeline.write_text(f"steps:\n- count: {{run: {run}}}\n")
    plan = Pipeline(pipeline, registry)
    with pytest.raises(RunError, match=r"step 1 \(count\): 3 particles$"):
        plan.run(plan.steps[0])


def test_every_command_but_those_of_the_program_is_a_step(registry: Registry) -> None:
    steps = {name for name, command in registry.commands.items() if command.is_step}
    assert set(registry.commands) - steps == {"run", "plugins"}
    assert {"check", "eval_images", "plan", "pc_traversal", "cleanup", "analyze_volumes"} <= steps


def test_every_place_of_a_built_in_command_can_be_imported(registry: Registry) -> None:
    for command in registry.commands.values():
        if command.is_step:
            assert callable(command.load_function())
        for part in ("spec", "options", "data_options", "base", "rule", "presets", "extras"):
            command.load(part)


def test_a_name_that_is_taken_is_refused(make_plugins: PluginMaker) -> None:
    taken = COUNTING.replace('name="count"', 'name="validate"')
    registry = Registry(make_plugins(counting=taken))
    assert "counting" not in registry.command("validate").function
    (fault,) = registry.faults
    assert "the command 'validate' is there already" in fault.reason


def test_a_plugin_that_breaks_does_not_take_others_with_it(make_plugins: PluginMaker) -> None:
    broken = COUNTING.replace("yield Command(", "1 / 0\n    yield Command(")
    registry = Registry(make_plugins(counting=broken))
    assert "count" not in registry.commands
    assert "ZeroDivisionError" in registry.faults[0].reason
    assert "validate" in registry.commands


def test_a_place_that_is_not_there_is_named(make_plugins: PluginMaker, tmp_path: Path) -> None:
    wrong = COUNTING.replace(':count"', ':cuont"')
    registry = Registry(make_plugins(counting=wrong))
    request = resolve(registry.command("count"), {"run": tmp_path}, registry=registry)
    with pytest.raises(PluginError, match="command count: cannot import its function"):
        do(request, registry)


def test_unknown_commands_are_refused_with_a_hint(registry: Registry) -> None:
    with pytest.raises(SpecError, match=r"there is no command 'valdate'. Did you mean 'validate'"):
        registry.command("valdate")


def test_faults_of_both_specs_are_told_together(registry: Registry, tmp_path: Path) -> None:
    star = tmp_path / "particles.star"
    layer = {"reader": {"path": str(star)}, "n_classes": 0, "seed": -1}
    with pytest.raises(SpecError) as caught:
        resolve(registry.command("classify"), layer, registry=registry, pending=True)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "outdir", "n_classes", "seed",
    ]  # fmt: skip


def test_help_lists_commands_in_the_order_of_their_records(plugged: Registry) -> None:
    orders = [command.help_order for command in plugged.commands.values()]
    assert orders == sorted(orders)
    built_in = [order for order in orders if order < 1000]
    assert len(set(built_in)) == len(built_in) > 20
    assert list(plugged.commands)[-1] == "count"


def test_a_folder_with_a_record_is_a_built_in_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else names it."""
    (tmp_path / "added").mkdir()
    (tmp_path / "added" / "__init__.py").write_text(
        "from tomodrgn.core.command import Command\n"
        "COMMANDS = (Command(name='added', help_order=15, summary='A.', function='a:b'),)\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    plugins = load_plugins(external=(), modules=(), builtin=COMMAND_PLUGINS)
    found = collect_commands(plugins, lambda *_: None)
    assert list(found)[:3] == ["simulate", "added", "check"]
