"""Files of other programs that are given where a STAR file of particles is needed.

Each is known by its content, or by the ending of its name where its content tells nothing; the
answer names the program and what to do next. Nothing here reads more than the head of a file. STAR
files of other kinds are told apart by their columns, which is left to the readers.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXPORT_IMAGES: Final = (
    "extract the particles as tilt images (WarpTools ts_export_particles --2d, RELION 5 with 2-D "
    "stacks, M, nextPYP) and give the STAR file that is written"
)
_CONVERT: Final = (
    "convert it to a STAR file of the program that has the tilt series (for example with dynamo2m "
    f"or cryoCAT), {EXPORT_IMAGES}"
)
_GIVE_THE_STAR: Final = (
    "it holds no tilt metadata; give the STAR file of the particles, with a row for each tilt "
    "image, or the optimisation set"
)
_MAX_NAMED: Final = 3
_EM_BYTES_OF_TYPE: Final = {1: 1, 2: 2, 4: 4, 5: 4, 8: 8, 9: 8}
_EM_HEADER_BYTES: Final = 512
_MRC_HEADER_BYTES: Final = 1024
_DYNAMO_COLUMNS: Final = (26, 50)
_FREALIGN_COLUMNS: Final = (16, 50)
_TRANSFORM_COLUMNS: Final = 6
_NUMBER: Final = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[Nn]a[Nn]"


@dataclass(frozen=True, slots=True)
class _Head:
    """The beginning of a file: its ending in small letters, first bytes, and size."""

    suffix: str
    content: bytes
    n_bytes: int

    def begins(self, *starts: bytes) -> bool:
        return self.content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(starts)

    def has_root(self, *names: bytes) -> bool:
        """Whether it is XML of which the root is one of these elements."""
        element = re.search(rb"<([A-Za-z]\w*)", self.content)
        return self.begins(b"<") and element is not None and element[1] in names

    def is_json_with(self, *names: bytes) -> bool:
        return self.begins(b"{", b"[") and all(b'"%b"' % name in self.content for name in names)

    def numbers_per_line(self) -> int:
        """Numbers in each of its lines, 0 where they are no numbers or differ."""
        lines = [
            line.split()
            for line in self.content.splitlines()[:_MAX_NAMED]
            if line.strip() and not line.lstrip().startswith((b"C", b"#", b"%"))
        ]
        counts = {len(line) for line in lines}
        are_numbers = all(re.fullmatch(_NUMBER, word) for line in lines for word in line)
        return counts.pop() if len(counts) == 1 and are_numbers else 0

    def is_em(self) -> bool:
        """Whether the sizes in an EM header, of either byte order, give that of the file."""
        if len(self.content) < _EM_HEADER_BYTES:
            return False
        item_bytes = _EM_BYTES_OF_TYPE.get(self.content[3], 0)
        sizes = [struct.unpack(order + "3I", self.content[4:16]) for order in "<>"]
        return any(
            x * y * z * item_bytes > 0 and _EM_HEADER_BYTES + x * y * z * item_bytes == self.n_bytes
            for x, y, z in sizes
        )

    def is_mrc(self) -> bool:
        return len(self.content) >= _MRC_HEADER_BYTES and self.content[208:211] == b"MAP"


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """A kind of file of another program."""

    is_one: Callable[[_Head], bool]
    what: str
    """What it is, and of which program."""
    next_step: str


def _ends(*suffixes: str) -> Callable[[_Head], bool]:
    return lambda head: head.suffix in suffixes


FOREIGN_FILES: Final = (
    ForeignFile(
        lambda head: head.has_root(b"TiltSeries"),
        "the alignment and CTF of one tilt series by Warp, without particles",
        "export particles with WarpTools ts_export_particles --2d and give the optimisation set "
        "that is written",
    ),
    ForeignFile(
        lambda head: head.has_root(b"Movie", b"FrameSeries"),
        "the alignment and CTF of one movie by Warp, without particles",
        "export particles with WarpTools ts_export_particles --2d and give the optimisation set "
        "that is written",
    ),
    ForeignFile(
        lambda head: head.has_root(b"Settings") or head.suffix == ".settings",
        "the settings of a Warp project, without particles",
        "export particles with WarpTools ts_export_particles --2d and give the optimisation set "
        "that is written",
    ),
    ForeignFile(
        lambda head: head.has_root(b"Species", b"Population", b"Source", b"DataSource"),
        "a species, population or source of M, which name files of particles",
        "export its particles as an image series (WarpTools ts_export_particles --2d with the "
        "*_particles.star of the species) and give the STAR file that is written",
    ),
    ForeignFile(
        lambda head: head.has_root(b"ParticleList"),
        "a particle list of PyTom, which has no tilt images",
        _CONVERT,
    ),
    ForeignFile(lambda head: head.begins(b"<"), "an XML file", _GIVE_THE_STAR),
    ForeignFile(
        lambda head: head.is_json_with(b"pickable_object_name", b"points"),
        "the picks of one object by copick, without tilt images",
        "import them where the tilt series are (copick: picks.df(format='relion')), "
        + EXPORT_IMAGES,
    ),
    ForeignFile(
        lambda head: head.is_json_with(b"pickable_objects"),
        "the configuration of a copick project, without tilt images",
        "import its picks where the tilt series are (copick: picks.df(format='relion')), "
        + EXPORT_IMAGES,
    ),
    ForeignFile(
        lambda head: head.is_json_with(b"type", b"location"),
        "an annotation of the CryoET Data Portal, without tilt images",
        "import the points where the tilt series are (for example with zarr-particle-tools), "
        + EXPORT_IMAGES,
    ),
    ForeignFile(
        lambda head: head.is_json_with(b"boxes_3d"),
        "a box file of EMAN2, without tilt images",
        "import the boxes where the tilt series are, " + EXPORT_IMAGES,
    ),
    ForeignFile(lambda head: head.begins(b"{", b'["', b"[{"), "a JSON file", _GIVE_THE_STAR),
    ForeignFile(
        lambda head: head.begins(b"\x93NUMPY") and head.suffix == ".cs",
        "a data set of cryoSPARC, which processes single-particle images without tilts",
        "process the particles of tilt series in a program for them: " + EXPORT_IMAGES,
    ),
    ForeignFile(lambda head: head.begins(b"\x93NUMPY"), "an array of numpy", _GIVE_THE_STAR),
    ForeignFile(
        lambda head: head.begins(b"IMODV1"),
        "a model of IMOD: points, without angles and tilt images",
        "import the points where the tilt series are, " + EXPORT_IMAGES,
    ),
    ForeignFile(
        lambda head: head.begins(b"CCC,"),
        "a motive list of PEET, which has no tilt images",
        _CONVERT,
    ),
    ForeignFile(_ends(".csv"), "a table of comma-separated values", _GIVE_THE_STAR),
    ForeignFile(
        lambda head: head.is_em(),
        "an EM file: a volume, or a motive list of TOM, AV3, novaSTA or STOPGAP",
        _CONVERT,
    ),
    ForeignFile(
        lambda head: (
            _DYNAMO_COLUMNS[0] <= head.numbers_per_line() <= _DYNAMO_COLUMNS[1]
            and head.suffix != ".par"
        ),
        "a table of Dynamo, which has no tilt images",
        _CONVERT,
    ),
    ForeignFile(
        lambda head: (
            head.suffix == ".par"
            and _FREALIGN_COLUMNS[0] <= head.numbers_per_line() <= _FREALIGN_COLUMNS[1]
        ),
        "a parameter file of Frealign, cisTEM or nextPYP",
        "export the particles of the nextPYP block as a STAR file for RELION and give that",
    ),
    ForeignFile(
        _ends(".cistem"),
        "a parameter file of cisTEM or nextPYP",
        "export the particles of the nextPYP block as a STAR file for RELION and give that",
    ),
    ForeignFile(
        lambda head: (
            head.suffix in (".xf", ".xg", ".prexf", ".prexg")
            and head.numbers_per_line() == _TRANSFORM_COLUMNS
        ),
        "the alignment of one tilt series by IMOD, without particles",
        "import it with the tilt series into Warp or RELION, " + EXPORT_IMAGES,
    ),
    ForeignFile(
        lambda head: head.suffix in (".tlt", ".rawtlt", ".tltxf") and head.numbers_per_line() == 1,
        "the tilt angles of one tilt series, without particles",
        "import it with the tilt series into Warp or RELION, " + EXPORT_IMAGES,
    ),
    ForeignFile(
        lambda head: head.suffix == ".mdoc" or b"[ZValue" in head.content,
        "the record of a tilt series by SerialEM, without particles",
        "import it with the tilt series into Warp or RELION, " + EXPORT_IMAGES,
    ),
    ForeignFile(lambda head: head.is_mrc(), "an MRC file: images or a volume", _GIVE_THE_STAR),
    ForeignFile(
        lambda head: head.content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
        "a TIFF or EER file: images",
        _GIVE_THE_STAR,
    ),
    ForeignFile(
        lambda head: head.content.startswith(b"\x89HDF"),
        "an HDF5 file: images of EMAN2, or a cache of prepared images",
        _GIVE_THE_STAR,
    ),
    ForeignFile(
        lambda head: head.begins(b"#LST"),
        "a list of images of EMAN2",
        _CONVERT,
    ),
    ForeignFile(
        lambda head: head.begins(b"MATLAB "),
        "a file of MATLAB, as Dynamo and TOMOMAN keep",
        _CONVERT,
    ),
    ForeignFile(
        lambda head: head.begins(b"SQLite format"),
        "a database, as cisTEM and EMAN keep",
        "export the particles as a STAR file and give that",
    ),
    ForeignFile(
        lambda head: head.content.startswith((b"\x1f\x8b", b"BZh", b"PK\x03\x04", b"\xfd7zXZ")),
        "a compressed file",
        "unpack it, and give the STAR file in it",
    ),
    ForeignFile(
        lambda head: head.content[:1] == b"\x80" and head.suffix in (".pkl", ".pickle"),
        "a pickle, as tomodrgn and cryoDRGN keep poses, CTF and results",
        _GIVE_THE_STAR,
    ),
    ForeignFile(
        _ends(".yaml", ".yml"),
        "a YAML file",
        "give the STAR file of the particles; a run spec is given with --spec",
    ),
)
"""The first one that fits counts."""


def refuse_foreign_file(path: Path, content: bytes) -> None:
    """Refuse a file that is known to be of another kind.

    Args:
        path: the file.
        content: its first bytes, which name no block of a STAR file.

    Raises:
        DataError: it is; the program and the next step are named.
    """
    head = _Head(suffix=path.suffix.lower(), content=content, n_bytes=path.stat().st_size)
    for kind in FOREIGN_FILES:
        if kind.is_one(head):
            raise DataError(f"{path}: is no STAR file but {kind.what}; {kind.next_step}")


def refuse_folder(path: Path) -> None:
    """Refuse a folder where a STAR file is needed.

    Raises:
        DataError: it is one; what is in it is named.
    """
    if not path.is_dir():
        return
    try:
        names = sorted(item.name for item in path.iterdir())
    except OSError as error:
        raise DataError(f"{path}: is a folder; give a file") from error
    stars = [name for name in names if name.endswith(".star")]
    if "run.yaml" in names:
        way_out = "it holds a run of tomodrgn; give the STAR file of the particles"
    elif path.suffix.lower() == ".zarr" or ".zattrs" in names or "zarr.json" in names:
        way_out = f"it holds a Zarr array, as tomograms are kept; {EXPORT_IMAGES}"
    elif "ExperimentRuns" in names:
        way_out = f"it holds a copick project, without tilt images; {EXPORT_IMAGES}"
    elif stars:
        sets = [name for name in stars if "optimisation_set" in name]
        ordered = [*sets, *(name for name in stars if name not in sets)]
        shown = ", ".join(ordered[:_MAX_NAMED]) + (", ..." if ordered[_MAX_NAMED:] else "")
        way_out = f"its STAR files are {shown}"
    else:
        way_out = "it holds no STAR file"
    raise DataError(f"{path}: is a folder; give a file ({way_out})")
