"""Options of commands: click parameters from tables of classic names and the fields they fill.

Help, type, default and bounds of an option come from its field; nothing is written twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.cli.fields import (
    click_form,
    field_of,
    flag_help,
    option_help,
    run_field,
)
from tomodrgn.core.cli.spec_command import SpecArgument, SpecOption, SpecParameter, WordsOr
from tomodrgn.core.specs.classic import Classic, is_flag, rows_of
from tomodrgn.core.specs.files import Added
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS, RUN_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


TRAIN_OPTIONS: Final = (
    *RUN_OPTIONS,
    Classic("-n --num-epochs", "training.num_epochs"),
    Classic("-b --batch-size", "training.batch_size"),
    Classic("--lr", "training.lr"),
    Classic("--lr-schedule", "training.lr_schedule"),
    Classic("--wd --weight-decay", "training.wd"),
    Classic("--sample-ntilts", "training.sample_ntilts"),
    Classic("--fraction-train", "dataset.fraction_train"),
    Classic("--recon-dose-weight", "loss_weightings", constant=Added([{"kind": "dose"}])),
    Classic("--recon-tilt-weight", "loss_weightings", constant=Added([{"kind": "tilt"}])),
    Classic("--l-dose-mask", "training.l_dose_mask"),
    Classic("--load", "training.load"),
    Classic("--checkpoint", "training.checkpoint"),
    Classic("--log-interval", "training.log_interval"),
    Classic("--overwrite", "training.overwrite"),
    Classic("-v --verbose", "training.verbose"),
    Classic("--no-report", "training.report", constant=False),
    *DEVICE_OPTIONS,
    Classic("--pe-type", "positional_encoding.kind"),
    Classic("--pe-dim", "positional_encoding.dim"),
    Classic("--feat-sigma", "positional_encoding.sigma"),
)

OUTDIR_OPTIONS: Final = (Classic("-o --outdir", "outdir", needed=True),)

LINEAR_DATA_OPTIONS: Final = (
    *RUN_OPTIONS,
    Classic("--fraction-train", "dataset.fraction_train"),
    Classic("--overwrite", "training.overwrite"),
    Classic("-v --verbose", "training.verbose"),
    Classic("--no-report", "training.report", constant=False),
    Classic("--accelerator", "devices.accelerator"),
    Classic("--threads", "devices.threads"),
)

TRAIN_LINEAR_OPTIONS: Final = (
    *LINEAR_DATA_OPTIONS,
    Classic("--zdim", "latent.dim", words=(("auto", None),)),
)

CLASSIFY_OPTIONS: Final = (
    *OUTDIR_OPTIONS,
    Classic("-K --n-classes", "n_classes", needed=True),
    Classic("--start", "start"),
    Classic("--start-from", "start_from"),
)

TRAIN_NN_OPTIONS: Final = (
    *TRAIN_OPTIONS,
    Classic("--layers", "decoder.layers"),
    Classic("--dim", "decoder.dim"),
    Classic("--activation", "decoder.activation"),
)

TRAIN_VAE_OPTIONS: Final = (
    *TRAIN_OPTIONS,
    Classic("--zdim", "latent.dim"),
    Classic("--beta", "latent.beta"),
    Classic("--beta-control", "latent.beta_control"),
    Classic("--init", "training.init"),
    Classic("--init-from", "training.init_from"),
    Classic("--enc-layers-A", "encoder.layers_a"),
    Classic("--enc-dim-A", "encoder.dim_a"),
    Classic("--out-dim-A", "encoder.out_dim_a"),
    Classic("--pooling-function", "encoder.pooling"),
    Classic("--num-heads", "encoder.num_heads"),
    Classic("--layer-norm", "encoder.layer_norm"),
    Classic("--enc-layers-B", "encoder.layers_b"),
    Classic("--enc-dim-B", "encoder.dim_b"),
    Classic("--enc-mask", "encoder.mask_radius_px"),
    Classic("--dec-layers", "decoder.layers"),
    Classic("--dec-dim", "decoder.dim"),
    Classic("--activation", "encoder.activation decoder.activation"),
)


def run_parameters(table: Iterable[Classic]) -> list[SpecParameter]:
    """Click parameters that fill a run spec."""
    return [_parameter(row, run_field(row.places.split()[0])) for row in table]


def spec_parameters(model: type[BaseModel], table: Iterable[Classic]) -> list[SpecParameter]:
    """Click parameters that fill ``model``."""
    return [_parameter(row, field_of(model, row.places)) for row in table]


def options_of(model: type[BaseModel]) -> list[SpecParameter]:
    """One option per field of ``model``, called like the field; ``-o`` is the output folder."""
    return spec_parameters(model, rows_of(model))


def _parameter(row: Classic, field: FieldInfo | None) -> SpecParameter:
    names = row.names.split()
    places = tuple(row.places.split())
    if not names[0].startswith("-"):
        metavar = f"[{names[0].removesuffix('_file').upper()}]"
        form = click_form(places[0], field)
        return SpecArgument(
            names, places=places, needed=row.needed, required=False, type=form.type, metavar=metavar
        )
    if row.constant is not None or is_flag(field):
        constant = True if row.constant is None else row.constant
        text = flag_help(places[0], constant, field)
        return SpecOption(names, places=places, constant=constant, is_flag=True, help=text)
    form = click_form(places[0], field)
    return SpecOption(
        names,
        places=places,
        needed=row.needed,
        help=option_help(places[0], field),
        type=WordsOr(form.type, dict(row.words)) if row.words else form.type,
        nargs=form.nargs,
        multiple=form.multiple,
        metavar="|".join([str(form.metavar), *(word for word, _ in row.words)]),
    )
