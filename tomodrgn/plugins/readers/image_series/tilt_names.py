"""The tomogram that tilt images come from, by what they and their particles are called.

Programs call the tilt images of a tomogram ``ts1_21.mrc``, ``6@tomo.mrcs``, ``t_-51_0.mrc`` or
``ts1/21.mrc``: what their names share is its name. Where they share nothing, the part of the name
of a particle before its last number is taken.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SEPARATORS: Final = "_-+. /[("
_ENDINGS: Final = frozenset(
    (".mrc", ".mrcs", ".st", ".ali", ".rec", ".tif", ".tiff", ".eer", ".hdf", ".tomostar", ".zarr")
)
_SLICE: Final = re.compile(r"^\d+@")
_BETWEEN_WORDS: Final = re.compile(r"[_\-+ /\[(]+|\.(?!\d)")
_LAST_WORD: Final = re.compile(rf"[^{re.escape(_SEPARATORS)}]+$")


def tomogram_names(
    tilt_names: Sequence[Sequence[str]], particle_names: Sequence[Sequence[str]]
) -> list[str]:
    """One name for each tomogram; an empty one where names share nothing.

    Args:
        tilt_names: the names of the tilt images of each tomogram.
        particle_names: the names of its particles.
    """
    prefixes = [_the_one(map(name_before_number, names)) for names in particle_names]
    if all("/" in name for names in particle_names for name in names) and all(prefixes):
        return prefixes  # RELION calls a particle TOMOGRAM/NUMBER
    stems = _tell_apart(tilt_names)
    is_finer = len(set(prefixes)) > len(set(stems)) and all(prefixes)
    return prefixes if is_finer else stems


def names_apart(
    names: Sequence[str],
    are_several: Sequence[bool],
    tilt_names: Sequence[Sequence[str]],
    particle_names: Sequence[Sequence[str]],
) -> list[str]:
    """Names of tomograms; those that are of several are replaced by the first of their tilt images.

    They are not where they are the file of which tilt images are slices, and where every particle
    has tilt images of its own, which are images of particles then.

    Args:
        names: of each tomogram.
        are_several: whether tomograms of that name show the same exposures.
        tilt_names: the names of the tilt images of each tomogram.
        particle_names: the names of its particles.
    """
    files = [{_SLICE.sub("", name) for name in own} for own in tilt_names]
    n_with_file = Counter(file for own in files for file in own)
    particles: defaultdict[str, list[str]] = defaultdict(list)
    has_shared: defaultdict[str, bool] = defaultdict(bool)
    for name, own in zip(names, particle_names, strict=True):
        particles[name] += own
        has_shared[name] |= len(own) > 1
    are_tilts = {
        name: has_shared[name] or len(set(own)) < len(own) for name, own in particles.items()
    }
    return [
        without_ending(min(own, key=lambda file: (len(file), file)))
        if is_several and are_tilts[name] and all(n_with_file[file] == 1 for file in own)
        else name
        for name, is_several, own in zip(names, are_several, files, strict=True)
    ]


def name_before_number(name: str) -> str:
    """The part of a name before its last number, without separators; empty where it has none."""
    stop = len(name)
    while stop and not name[stop - 1].isdigit():
        stop -= 1
    while stop and name[stop - 1].isdigit():
        stop -= 1
    return name[:stop].rstrip(_SEPARATORS)


def without_numbers(tilt_name: str, n_numbers: int) -> str:
    """A tilt name without its slice, its ending and its last numbers, with its folder."""
    name = without_ending(_SLICE.sub("", tilt_name))
    for _ in range(n_numbers):
        name = name_before_number(name)
    return name


def without_ending(name: str) -> str:
    """A path without the endings of image files."""
    while (ending := PurePosixPath(name).suffix).lower() in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _tell_apart(tilt_names: Sequence[Sequence[str]]) -> list[str]:
    """Common stems of each tomogram, with folders only where these tell tomograms apart."""
    paths = [sorted({_SLICE.sub("", name) for name in names}) for names in tilt_names]
    with_folder = [_common_stem(names) for names in paths]
    bare = [_common_stem([name.rpartition("/")[2] for name in names]) for names in paths]
    stems = with_folder
    if all(bare) and len(set(bare)) == len(set(with_folder)):
        stems = bare
    known = {stem for stem, names in zip(stems, paths, strict=True) if len(names) > 1}
    return [
        stem if len(names) > 1 else _known_beginning(stem, known)
        for stem, names in zip(stems, paths, strict=True)
    ]


def _common_stem(names: Sequence[str]) -> str:
    """What names have in common: their beginning, else the words that all of them have."""
    first, last = min(names), max(names)
    if first == last:
        return without_ending(first)
    n_shared = next(
        (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    stem = first[:n_shared]
    if any(name[len(stem) : len(stem) + 1].isdigit() for name in names):
        stem = stem.rstrip("0123456789")
    stem = stem.rstrip(_SEPARATORS)
    if stem.rpartition("/")[2].strip("." + _SEPARATORS):
        return stem.removeprefix("./")
    return _common_words(names)


def _common_words(names: Sequence[str]) -> str:
    """The words of the first name that all names have."""
    split = [_BETWEEN_WORDS.split(without_ending(name)) for name in names]
    shared = set(split[0]).intersection(*split[1:])
    return "_".join(word for word in split[0] if word in shared and word)


def _known_beginning(stem: str, known: set[str]) -> str:
    """The tomogram of a lone tilt image, where others show how tomograms are called."""
    shorter = stem
    while shorter and shorter not in known:
        shorter = _LAST_WORD.sub("", shorter).rstrip(_SEPARATORS)
    return shorter or stem


def _the_one(names: Iterable[str]) -> str:
    """The name on which all agree, or an empty one."""
    distinct = set(names)
    return distinct.pop() if len(distinct) == 1 else ""


def group_by(labels: Iterable[int], values: Iterable[str], n_labels: int) -> list[list[str]]:
    """The values of each label."""
    grouped: defaultdict[int, list[str]] = defaultdict(list)
    for label, value in zip(labels, values, strict=True):
        grouped[label].append(value)
    return [grouped[label] for label in range(n_labels)]
