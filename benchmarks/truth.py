"""How right is what a method says? Sets of known answers, over seeds, beside the best possible.

Every set is simulated anew, fitted by ``train_linear`` without any options (or by another command),
and scored. A row has the median over seeds, and the worst in brackets.
"""

from __future__ import annotations

import json
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import yaml

from benchmarks.report import Row, parser, report
from benchmarks.truth_cases import RECIPES, Case, chosen, suites
from benchmarks.truth_likelihood import compare_held_out
from benchmarks.truth_scores import Figures, figures_of
from tomodrgn.core.errors import TomodrgnError
from tomodrgn.core.files.yaml_text import read_yaml
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

COMMAND: Final = "tomodrgn train_linear {star} -o {run}"

_SEEDS = (0, 1, 2, 3, 4)
_NOTHING = "-"
_EXPLAINED = 0.8
"""Share of a difference from which errors are taken to be named as its cause."""


@dataclass(frozen=True, slots=True)
class Task:
    """One set and one run on it.

    Attributes:
        case: what is asked.
        seed: of the simulation.
        more: options of the simulation for all cases.
        command: what is run, with places for ``{star}`` and ``{run}``.
        held_out: also compare how held-out tilts are predicted without and with refined poses.
    """

    case: Case
    seed: int
    more: Mapping[str, Any]
    command: str
    held_out: bool = False

    @property
    def key(self) -> dict[str, Any]:
        """What tells it from other tasks in a file of results."""
        return {
            "case": self.case.name,
            "seed": self.seed,
            "set": dict(self.more),
            "command": self.command,
            **({"held_out": True} if self.held_out else {}),
        }

    def spec(self, outdir: Path) -> SimulationSpec:
        """The set to simulate."""
        recipe = read_yaml(RECIPES / f"{self.case.recipe}.yaml")
        options = {**recipe, **self.case.options, **self.more, "seed": self.seed}
        return SimulationSpec(outdir=outdir, **options)


def main(arguments: Sequence[str]) -> None:
    """Print a row per case."""
    options = _parse(arguments)
    if options.list:
        for suite, cases in suites().items():
            print(f"{suite}: {' '.join(case.name for case in cases)}")
        return
    more = {
        name: yaml.safe_load(value) for name, _, value in (s.partition("=") for s in options.set)
    }
    cases = chosen(options.suites or ([] if options.recipes else ["recipes"]), options.recipes)
    rows: list[Row] = []
    for case in cases:
        results = []
        for seed in options.seeds:
            task = Task(case, seed, more, options.command, options.held_out)
            found = _known(task, options.resume)
            if found is None:
                found = run_task(task)
                _keep(found, options.resume)
            results.append(found)
        rows.append(row_of(case, results))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
    report("truth", _asked(rows), options.json)


def run_task(task: Task) -> Figures:
    """Simulate, run and score one set; what went wrong is a figure as well."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        star = simulate(task.spec(Path(folder) / "set"))
        words = [word.format(star=star, run=run) for word in shlex.split(task.command)]
        if words[0] == "tomodrgn":
            words = [sys.executable, "-m", *words]
        start, before = time.perf_counter(), _processor_s()
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
        found: Figures = {
            **task.key,
            "seconds": round(time.perf_counter() - start, 2),
            "processor_s": round(_processor_s() - before, 2),
        }
        if done.returncode:
            return found | {"failed": (done.stderr or done.stdout).strip()[-500:]}
        try:
            if task.held_out:
                found["held_out_tilts"] = compare_held_out(star, Path(folder))
            return found | figures_of(run, star)
        except TomodrgnError as error:
            return found | {"failed": str(error)}


def row_of(case: Case, results: Sequence[Figures]) -> Row:
    """Medians over seeds, with the worst in brackets; a dash for what was not asked."""
    done = [found for found in results if "failed" not in found]

    def column(get: Callable[[Figures], Any], worst: Callable[[Sequence[float]], float]) -> str:
        values = [float(value) for value in map(get, done) if value is not None]
        if not values:
            return _NOTHING
        return f"{np.median(values):.3g} ({worst(values):.3g})"

    claims = [claim for claim in map(_claim, done) if claim is not None]
    return {
        "case": case.name,
        "sets": len(results),
        "failed": len(results) - len(done),
        "differ": f"{sum(claims)}/{len(claims)}" if claims else _NOTHING,
        "of errors": column(_share_of_errors, min),
        "unexplained": f"{sum(map(_is_unexplained, done))}/{len(claims)}" if claims else _NOTHING,
        "Rand": column(lambda f: f["scores"].get("adjusted Rand index"), min),
        "bound": column(lambda f: f.get("bound"), min),
        "rare F1": column(lambda f: f["scores"].get("F1 of the rarest class"), min),
        "axis": column(lambda f: _weakest(f["scores"], "best axis"), min),
        "readout": column(lambda f: _weakest(f["scores"], "linear readout"), min),
        "junk AUC": column(lambda f: f["scores"].get("junk outside the latent cloud (AUC)"), min),
        "junk by probability": column(
            lambda f: f.get("outliers", {}).get("junk_by_probability"), min
        ),
        "junk found": column(lambda f: f.get("outliers", {}).get("found_junk"), min),
        "false junk": column(lambda f: f.get("outliers", {}).get("false_junk"), max),
        "junk by contrast": column(lambda f: f.get("refined", {}).get("junk_by_contrast"), min),
        "in 90 %": column(lambda f: f["scores"].get("true coordinates in 90% regions"), min),
        "stated deg": column(lambda f: f["stated"]["orientation_rms_deg"], max),
        "refined deg": column(lambda f: f.get("refined", {}).get("orientation_rms_deg"), max),
        "stated px": column(lambda f: f["stated"]["image_rms_px"], max),
        "refined px": column(lambda f: f.get("refined", {}).get("image_rms_px"), max),
        "turns in 90 %": column(lambda f: f.get("refined", {}).get("turn_in_90"), min),
        "shifts in 90 %": column(lambda f: f.get("refined", {}).get("shift_in_90"), min),
        "contrast in 90 %": column(lambda f: f.get("refined", {}).get("contrast_in_90"), min),
        "held out, stated": column(lambda f: f.get("held_out_tilts", {}).get("stated"), min),
        "held out, refined": column(lambda f: f.get("held_out_tilts", {}).get("refined"), min),
        "error of the difference": column(lambda f: f.get("held_out_tilts", {}).get("error"), max),
        "latents": column(_n_latents, max),
        "maps": column(lambda f: f.get("subspace", {}).get("n_coordinates"), max),
        "gain": column(_network_gain, min),
        "linear gain": column(
            lambda f: f.get("subspace", {}).get("held_out", {}).get("linear_gain"), min
        ),
        "s": column(lambda f: f["seconds"], max),
        "processor s": column(lambda f: f["processor_s"], max),
    }


def _asked(rows: Sequence[Row]) -> list[Row]:
    """Rows without the columns that none of them fills."""
    filled = [name for name in rows[0] if any(row[name] != _NOTHING for row in rows)]
    return [{name: row[name] for name in filled} for row in rows]


def _claim(found: Figures) -> bool | None:
    """Whether a run says that particles differ."""
    said = found.get("run", {}).get("is_heterogeneous")
    return None if said is None else bool(said)


def _n_latents(found: Figures) -> float | None:
    """Latents of the network where there is one, of the linear model else."""
    number: float | None = (found.get("subspace") or found.get("run", {})).get("n_latents")
    return number


def _network_gain(found: Figures) -> float | None:
    """Log likelihood per particle that the latents of a network add to held-out tilts."""
    if "subspace" not in found:
        return None
    held_out = found["subspace"]["held_out"]
    return float(held_out["gain"][held_out["compared"].index(held_out["n_latents"])])


def _share_of_errors(found: Figures) -> float | None:
    """Share of the power of latents that errors of pose and contrast could explain."""
    share: float | None = found.get("run", {}).get("verdict", {}).get("share", {}).get("errors")
    return share


def _is_unexplained(found: Figures) -> bool:
    """Whether particles are said to differ in more than such errors."""
    return bool(_claim(found)) and (_share_of_errors(found) or 0.0) < _EXPLAINED


def _weakest(scores: Mapping[str, float], what: str) -> float | None:
    """Least of the scores of the coordinates of a motion."""
    values = [value for name, value in scores.items() if name.endswith(what)]
    return min(values) if values else None


def _known(task: Task, path: Path | None) -> Figures | None:
    """The result of a task in a file of results."""
    if path is None or not path.exists():
        return None
    for line in path.read_text(encoding="utf-8").splitlines():
        found: Figures = json.loads(line)
        if {name: found.get(name) for name in task.key} == task.key:
            return found
    return None


def _keep(found: Figures, path: Path | None) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")


def _line(row: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items() if value != _NOTHING)


def _processor_s() -> float:
    """Processor time of all finished children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    options = parser("truth", __doc__ or "")
    options.add_argument("--suites", nargs="+", default=[], choices=list(suites()))
    options.add_argument("--recipes", nargs="+", default=[], metavar="CASE",
                         help="names of cases, * for any part of a name")  # fmt: skip
    options.add_argument("--seeds", nargs="+", type=int, default=_SEEDS)
    options.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE",
                         help="options of every simulation")  # fmt: skip
    options.add_argument("--command", default=COMMAND,
                         help="what is run on {star}, and leaves z.pkl in {run}")  # fmt: skip
    options.add_argument("--resume", type=Path, metavar="FILE",
                         help="JSON lines: results there are kept, new ones added")  # fmt: skip
    options.add_argument("--held-out", action="store_true",
                         help="also compare how held-out tilts are predicted")  # fmt: skip
    options.add_argument("--list", action="store_true", help="name all cases, and stop")
    return options.parse_args(arguments)
