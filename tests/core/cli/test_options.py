"""The table of classic options: every place exists, every option is documented."""

from __future__ import annotations

import click
import pytest

from tomodrgn.core.cli.fields import run_field
from tomodrgn.core.cli.main import cli, offered_commands
from tomodrgn.core.cli.options import options_of
from tomodrgn.core.cli.spec_command import SpecCommand, SpecOption
from tomodrgn.core.specs.run_options import TRAIN_VAE_OPTIONS
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.train.options import TRAIN_NN_OPTIONS

COMMANDS = offered_commands()
PLACES = {place for row in (*TRAIN_VAE_OPTIONS, *TRAIN_NN_OPTIONS) for place in row.places.split()}


@pytest.mark.parametrize("place", sorted(PLACES))
def test_place_is_a_documented_field(place: str) -> None:
    field = run_field(place)
    if place != "loss_weightings":  # a family itself, whose items carry their own text
        assert field is not None
        assert field.description or place.endswith(".kind")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help_and_its_own_names(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [option.opts for option in options if not option.help] == []
    names = [name for option in options for name in option.opts]
    assert len(names) == len(set(names))


def test_options_of_a_command_have_their_own_variables() -> None:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, SpecCommand):
            variables = [param.name for param in command.params]
            assert len(variables) == len(set(variables))


def test_a_field_that_is_open_by_default_has_an_option_for_yes_and_one_for_no() -> None:
    names = {
        name: parameter.constant
        for parameter in options_of(SimulationSpec)
        for name in parameter.opts
        if isinstance(parameter, SpecOption)
    }
    assert names["--inverted"] is True
    assert names["--no-inverted"] is False


def test_help_names_the_words_that_an_option_takes() -> None:
    command = cli.get_command(click.Context(cli), "validate")
    assert command is not None
    records = [param.get_help_record(click.Context(command)) for param in command.params]
    names = [record[0] for record in records if record is not None]
    assert "--accelerator [auto|cpu|gpu]" in names
    assert [name for name in names if "None" in name] == []
