"""Stacks that a name may stand for: which is taken is said, and stacks that differ are refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_mrc_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tomodrgn.core.files.named_files import Place, SearchOrder

logger = logging.getLogger(__name__)


class Rivals(NamedTuple):
    """Two stacks that a name may stand for.

    Attributes:
        written: the name.
        taken: the one that is taken.
        other: the one that is passed over.
        contents: what is in each of them.
    """

    written: str
    taken: Place
    other: Place
    contents: tuple[str, str]


def rivals_of(written: str, places: Sequence[Place]) -> list[Rivals]:
    """The stack that is taken for a name, with each of those that are passed over."""
    return [
        Rivals(written, places[0], other, (_content(places[0].path), _content(other.path)))
        for other in places[1:]
    ]


def settle_rivals(rivals: Sequence[Rivals], star: Path) -> None:
    """Say which of several stacks are taken.

    Stacks beside the STAR file need no choice because others lie in a folder above it, as where one
    set of particles lies inside the folder of another.

    Raises:
        DataError: the user did not choose between stacks that differ.
    """
    if not rivals:
        return
    unlike = [pair for pair in rivals if _differ(pair) and not _is_clear(pair, star)]
    if unlike:
        written, taken, other, contents = unlike[0]
        raise DataError(
            f"{star}: image stack {written} stands for two files that differ: {taken.path} "
            f"({contents[0]}) and {other.path} ({contents[1]}) ({len(unlike)} such stacks); name "
            f"the folder of the stacks that belong to the particles, --datadir {taken.base} or "
            f"--datadir {other.base}"
        )
    written, taken, other, _ = rivals[0]
    n_stacks = len({pair.written for pair in rivals})
    logger.log(
        logging.INFO if taken.is_chosen else logging.WARNING,
        "%s: %d image %s in more than one place; %s is taken, %s is passed over; --datadir chooses",
        star, n_stacks, "stacks are" if n_stacks > 1 else "stack is", taken.path, other.path,
    )  # fmt: skip


def check_places(names: Sequence[str], places: Iterable[Place | None], order: SearchOrder) -> None:
    """Refuse names without a stack and different names of one; say where a folder was no help.

    Args:
        names: distinct paths of stacks, as the STAR file has them.
        places: where each lies; None for nowhere.
        order: where they were looked for.

    Raises:
        DataError: a stack is missing, or stands for two names of which only the ends agree.
    """
    found = list(places)
    missing = [name for name, place in zip(names, found, strict=True) if place is None]
    if missing:
        tried = ", ".join(str(place) for place in order.tried(missing[0]))
        raise DataError(
            f"{order.star}: image stack {missing[0]} is missing ({len(missing)} of {len(names)} "
            f"stacks are); tried {tried}; give the folder of the stacks with --datadir"
        )
    _refuse_shared(names, [place for place in found if place], order.star)
    elsewhere = [place for place in found if place and not place.is_chosen]
    if order.datadir is not None and elsewhere:
        logger.warning(
            "%s: %d of %d image stacks are not in --datadir %s; %s is taken",
            order.star, len(elsewhere), len(names), order.datadir, elsewhere[0].path,
        )  # fmt: skip


def _refuse_shared(names: Sequence[str], places: Sequence[Place], star: Path) -> None:
    """Refuse a file that was found for two names by their last part alone."""
    name_of: dict[Path, str] = {}
    by_name = {place.path for place in places if place.by_name}
    for name, place in zip(names, places, strict=True):
        other = name_of.setdefault(place.path, name)
        if other != name and place.path in by_name:
            raise DataError(
                f"{star}: image stacks {other} and {name} both lead to {place.path}, by the last "
                f"part of their names alone; name the folder that their whole paths start from "
                f"with --datadir"
            )


def _differ(pair: Rivals) -> bool:
    return pair.contents[0] != pair.contents[1]


def _is_clear(pair: Rivals, star: Path) -> bool:
    """Whether the stack that is taken is meant, whatever lies in the other place."""
    is_above = pair.other.base in star.absolute().parents[1:]
    is_current = pair.other.base.absolute() == Path.cwd()
    return pair.taken.is_chosen or (pair.taken.base == star.parent and is_above and not is_current)


def _content(path: Path) -> str:
    """What the header of a stack and the file system say of it."""
    try:
        header = read_mrc_header(path)
        n_bytes = path.stat().st_size
    except (DataError, OSError) as error:
        return f"unreadable: {error}"
    n, y, x = header.shape
    return f"{n} images of {y} x {x} px, {header.dtype}, {header.pixel_size_a:g} A/px, {n_bytes} B"


def found_stacks(names: Sequence[str], order: SearchOrder) -> list[Path]:
    """The stacks of some names.

    Args:
        names: distinct paths of stacks, as the STAR file has them.
        order: where they are looked for.

    Raises:
        DataError: a stack is missing, or may be either of two.
    """
    found = [order.find(name) for name in names]
    check_places(names, [places[0] if places else None for places in found], order)
    rivals = (rivals_of(name, places) for name, places in zip(names, found, strict=True))
    settle_rivals([pair for pairs in rivals for pair in pairs], order.star)
    return [places[0].path for places in found]
