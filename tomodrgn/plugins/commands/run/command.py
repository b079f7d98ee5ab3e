"""``tomodrgn run``: the steps of a pipeline file, all checked before the first starts."""

from __future__ import annotations

from pathlib import Path

import click

from tomodrgn.core.cli.invocation import installed_registry


@click.command()
@click.argument("pipeline", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Check the steps and stop.")
def run(pipeline: Path, check: bool) -> None:
    """Run the steps of a pipeline file.

    PIPELINE is a YAML file with a list ``steps``; each item is a command with its spec. All steps
    are checked, with the files they need, before the first starts.
    """
    from tomodrgn.core.steps import Pipeline

    plan = Pipeline(pipeline, installed_registry())
    steps = plan.steps
    if check:
        click.echo(f"{pipeline}: {len(steps)} steps can run")
        return
    from tomodrgn.core.training.launching import require_one_process

    require_one_process()
    for step in steps:
        click.echo(f"step {step.number} of {len(steps)}: {step.command}")
        for line in plan.run(step):
            click.echo(f"  {line}")
