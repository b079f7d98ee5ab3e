"""A command that is killed, or whose disk fails, loses nothing and can be called again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.trials import COMMANDS, World, attempt, every, make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, warm_socket: Path) -> World:
    return make_world(tmp_path_factory.mktemp("faults"), warm_socket)


@pytest.mark.parametrize(
    ("name", "kind", "numbers"),
    [
        ("filter_star", "kill", [1, 4]),
        ("train_linear over another", "kill", [30]),
        ("eval_vol", "full", [6]),
        ("downsample", "large", [1]),
        ("train_vae over another", "full", [25]),
    ],
)
def test_nothing_is_lost(name: str, kind: str, numbers: list[int], world: World) -> None:
    for number, broken in every(world, name, kind, numbers):
        assert not broken, (number, broken)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "cleanup"])
def test_a_command_without_memory_says_so_and_leaves_nothing_half_done(
    name: str, world: World
) -> None:
    came, broken = attempt(world, name, ("memory", 1), calls_again=False)
    assert came
    assert not broken


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kill", "full", "unreadable", "memory", "large"])
@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_lost_anywhere(name: str, kind: str, world: World) -> None:
    numbers = [1, 4, 16, 64, 256] if kind == "large" else [*range(1, 12), *range(12, 2000, 9)]
    for number, broken in every(world, name, kind, numbers):
        assert not broken, (number, broken)
