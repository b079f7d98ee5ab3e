"""What a simulated set of tilt series is like, and how a run on it is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.flaws import FlawsSpec
from tomodrgn.core.specs.quantities import CsMm, PixelSizeA, VoltageKv

Degrees = Annotated[float, Field(ge=-180, le=180)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
EvenBox = Annotated[int, Field(ge=8, multiple_of=2)]

_STEEPEST_TILT_DEG = 80.0


class StructureSpec(Spec):
    """What the particles are: the first part of a simulation."""

    maps: tuple[Path, ...] | None = None
    """MRC maps, one per class, instead of the built-in phantom."""
    phantom: Literal["assembly"] = "assembly"
    """Built-in molecule: a helical body, a head, a hinged arm, and three domains that classes
    lack in turn."""
    diameter_a: PositiveFloat | None = None
    """Diameter of the phantom in angstrom; by default 0.7 of the box edge."""
    n_classes: Annotated[int, Field(ge=1, le=8)] = 3
    """Number of classes of the phantom; class 0 has every domain (maps bring their own number)."""
    class_weights: tuple[PositiveFloat, ...] | None = None
    """Relative size of each class; all equal by default."""
    motion: Literal["none", "hinge", "hinge_twist", "linear"] = "none"
    """Continuous motion of the phantom on top of its class: none, the arm about its hinge, that and
    a twist of the domains about the body, or a linear model: map + sum of z_k times fixed maps."""
    motion_range_deg: tuple[Degrees, Degrees] = (-30.0, 30.0)
    """Range of hinge angles in degrees, drawn uniformly."""
    twist_range_deg: tuple[Degrees, Degrees] = (-25.0, 25.0)
    """Range of twist angles in degrees, drawn uniformly, for motion hinge_twist."""
    linear_dim: Annotated[int, Field(ge=1, le=8)] = 2
    """Number of coordinates z of motion linear; each is normal, of mean 0 and variance 1."""
    junk_fraction: Fraction = 0.0
    """Fraction of particles that are none: their label is -1; classes share the rest."""
    junk: Literal["noise", "scrambled"] = "noise"
    """What images of junk show: noise alone, or class 0, in every image turned another way."""

    species_fraction: Fraction = 0.0
    """Fraction of particles that are another molecule, a barrel, the last class of all; the other
    classes share the rest."""

    @property
    def molecule_classes(self) -> int:
        """Number of classes of the molecule, or of the maps where they are given."""
        return self.n_classes if self.maps is None else len(self.maps)

    @property
    def class_count(self) -> int:
        """Number of classes, the other molecule among them."""
        return self.molecule_classes + (self.species_fraction > 0)

    @model_validator(mode="after")
    def _classes_agree(self) -> Self:
        if self.maps is not None and not self.maps:
            raise ValueError("maps is empty; name at least one MRC map, or leave it out")
        if self.maps is not None and self.motion != "none":
            raise ValueError("motion moves the phantom; leave it out where maps are given")
        n_classes = self.molecule_classes
        if self.class_weights is not None and len(self.class_weights) != n_classes:
            raise ValueError(
                f"class_weights has {len(self.class_weights)} values, classes are {n_classes}; "
                "give one weight per class"
            )
        if self.junk_fraction + self.species_fraction >= 1:
            raise ValueError(
                f"junk_fraction {self.junk_fraction} and species_fraction {self.species_fraction} "
                "leave no particle; lower one of them"
            )
        return self

    @model_validator(mode="after")
    def _motion_range_ascends(self) -> Self:
        for name in ("motion_range_deg", "twist_range_deg"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} {low} to {high} descends; give the smaller first")
        return self


class AcquisitionSpec(StructureSpec):
    """How the particles are imaged: the second part of a simulation."""

    n_particles: PositiveInt = 200
    """Number of particles."""
    n_tomograms: PositiveInt = 4
    """Number of tomograms that the particles are spread over."""
    field_a: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (4000.0, 4000.0, 1000.0)
    """Extent x, y and z in angstrom of the part of a tomogram in which particles lie."""
    box_size_px: EvenBox | None = None
    """Edge of the images in px, even; that of the maps, or 48."""
    pixel_size_a: PixelSizeA | None = None
    """Pixel size in angstrom; that of the maps, or 8."""
    n_tilts: PositiveInt = 21
    """Tilt images acquired per tomogram."""
    tilt_step_deg: PositiveFloat = 4.0
    """Angle between neighboring tilts in degrees."""
    tilt_center_deg: Annotated[float, Field(ge=-_STEEPEST_TILT_DEG, le=_STEEPEST_TILT_DEG)] = 0.0
    """Tilt in the middle of the series, such as the angle at which a lamella was cut; with it tilts
    go further to one side."""
    tilt_axis_deg: Degrees = 0.0
    """Rotation of the tilt axis from y in the plane of the images, in degrees."""
    tilt_scheme: Literal["dose_symmetric", "bidirectional", "unidirectional"] = "dose_symmetric"
    """Order of acquisition: alternating sides from 0, one side after the other, or end to end."""
    min_tilts: PositiveInt | None = None
    """Let the tilt count of each tomogram vary from this to n_tilts; the last ones are missing."""
    missing_fraction: Fraction = 0.0
    """Chance of each tilt image of each particle to be missing; one per particle always stays."""
    dose_per_tilt_e_per_a2: NonNegativeFloat = 3.0
    """Dose of each exposure in e/A^2; it damages the images of that exposure and all later ones."""
    ctf: bool = True
    """Modulate images by the contrast transfer function; without it no CTF columns are written."""
    voltage_kv: VoltageKv = 300.0
    """Acceleration voltage in kV."""
    cs_mm: CsMm = 2.7
    """Spherical aberration in mm."""
    amplitude_contrast: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Fraction of amplitude contrast."""
    phase_shift_deg: Degrees = 0.0
    """Phase shift in degrees; 90 for an ideal phase plate."""
    phase_shift_drift_deg: Degrees = 0.0
    """Growth of the phase shift from the first exposure of a tilt series to its last, degrees."""
    defocus_um: tuple[float, float] = (2.0, 4.0)
    """Range of the defocus of tomograms in um, underfocus positive; particle depth adds to it."""
    defocus_sign: Literal["plus", "minus"] = "plus"
    """Sign with which the height of a particle along the beam adds to its defocus."""
    astigmatism_um: NonNegativeFloat = 0.05
    """Difference of the two defoci in um; its direction varies between tomograms."""

    @model_validator(mode="after")
    def _tilts_are_possible(self) -> Self:
        steepest = self.tilt_step_deg * (self.n_tilts // 2) + abs(self.tilt_center_deg)
        if steepest > _STEEPEST_TILT_DEG:
            about = f" about {self.tilt_center_deg} degrees" if self.tilt_center_deg else ""
            raise ValueError(
                f"{self.n_tilts} tilts in steps of {self.tilt_step_deg} degrees{about} reach "
                f"{steepest} degrees; at most {_STEEPEST_TILT_DEG} are possible"
            )
        if self.min_tilts is not None and self.min_tilts > self.n_tilts:
            raise ValueError(f"min_tilts {self.min_tilts} is more than n_tilts {self.n_tilts}")
        return self

    @model_validator(mode="after")
    def _defocus_range_ascends(self) -> Self:
        low, high = self.defocus_um
        if low > high:
            raise ValueError(f"defocus_um {low} to {high} descends; give the smaller first")
        return self


class WritingSpec(AcquisitionSpec):
    """What programs do to the images, and how they write them: the third part of a simulation."""

    format: Literal["warp", "nextpyp", "warptools", "relion5", "relion4"] = "warp"
    """Program whose files are written: image series of Warp 1 or nextPYP, or a set of particles and
    tomograms as WarpTools, RELION 5, or RELION 4 (projection matrices) write it."""
    size_convention: Literal["unbinned", "binned"] = "unbinned"
    """Pixels in which WarpTools states the size of tomograms: those of the tilt series, as until
    the middle of 2026, or those of the particles, as since then."""
    visible_frames_only: bool | None = None
    """Leave missing tilt images out of the stacks of a set; otherwise noise stands in their place.
    By default as the program does it: WarpTools with unbinned sizes, and RELION 4, keep them."""
    ctf_premultiplied: bool | None = None
    """Multiply images by their contrast transfer function, the noise as well; by default as the
    program does it, which is yes for sets."""
    phase_flipped: bool = False
    """Multiply images by its sign, which leaves the noise as strong as it was."""
    dose_weighted: bool | None = None
    """Multiply images by the amplitude that their dose leaves, the noise as well; by default as the
    program does it, which is yes for sets."""
    tilt_weighted: bool | None = None
    """Multiply images by the cosine of their tilt, the noise as well; by default as the program
    does it, which is yes for sets."""
    inverted: bool | None = None
    """Write contrast inverted; by default as the program does it: inverted for Warp and nextPYP,
    and for RELION where images are not CTF-premultiplied, otherwise as it is."""
    origin_shift_px: NonNegativeFloat = 0.0
    """Largest displacement of a particle along each axis, in px: from the center of each of its
    images, or in sets from its coordinate in the tomogram."""
    trajectories_a: NonNegativeFloat = 0.0
    """Largest drift of a particle of a set along each axis during its tilt series, in angstrom."""
    pose_error_deg: NonNegativeFloat = 0.0
    """Standard deviation about each axis, in degrees, of the error of the orientation that the
    files state of a particle."""
    shift_error_px: NonNegativeFloat = 0.0
    """Standard deviation along each axis, in px, of the error of the place that they state."""
    subtomogram_priors: bool = False
    """State poses of a RELION set relative to random orientations in which it was extracted."""

    @property
    def writes_set(self) -> bool:
        """Whether the format is a set of particles and tomograms."""
        return self.format in {"warptools", "relion5", "relion4"}

    @property
    def stacks_hold_visible_frames(self) -> bool:
        """Whether stacks of a set lack the frames in which their particle is missing."""
        if self.visible_frames_only is not None:
            return self.visible_frames_only
        return self.format == "relion5" or self.size_convention == "binned"

    @model_validator(mode="after")
    def _format_has_place(self) -> Self:
        relion = {"relion5", "relion4"}
        places = {
            "size_convention": (self.size_convention != "unbinned", {"warptools"}),
            "visible_frames_only": (self.visible_frames_only is not None, {"warptools", *relion}),
            "trajectories_a": (self.trajectories_a > 0, {"warptools", *relion}),
            "subtomogram_priors": (self.subtomogram_priors, relion),
        }
        for name, (is_given, formats) in places.items():
            if is_given and self.format not in formats:
                raise ValueError(
                    f"{name} has no place in files of {self.format}; leave it out, or write format "
                    f"{' or '.join(sorted(formats))}"
                )
        is_old_warptools = self.format == "warptools" and self.size_convention == "unbinned"
        if is_old_warptools and self.defocus_sign == "minus":
            raise ValueError(
                "WarpTools states the sign of defocus only beside binned sizes; give "
                "size_convention binned with defocus_sign minus"
            )
        return self

    @model_validator(mode="after")
    def _transfer_is_treated_once(self) -> Self:
        if self.ctf_premultiplied and self.phase_flipped:
            raise ValueError("images are CTF-premultiplied or phase-flipped, not both; give one")
        if not self.ctf and (self.ctf_premultiplied or self.phase_flipped):
            raise ValueError(
                "images without ctf cannot be CTF-premultiplied or phase-flipped; leave ctf on"
            )
        return self


class SimulationSpec(FlawsSpec, WritingSpec):
    """Tilt series of particles whose structure, pose and class are known."""

    outdir: Path
    """Folder for the STAR file, stacks, true maps and labels."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    snr: Annotated[float, Field(gt=0, allow_inf_nan=True)] | None = 0.1
    """Variance of the signal, with CTF and dose damage, over that of the noise, both over the
    whole box; null or inf for images without noise."""
    dtype: Literal["float16", "float32"] = "float32"
    """Number type of the stacks."""
    particles_per_stack: PositiveInt = 50
    """Most particles in one stack of an image series; it also bounds the memory."""
    seed: NonNegativeInt = 0
    """Seed of every random choice."""

    @model_validator(mode="after")
    def _maps_stand_alone(self) -> Self:
        if self.maps is None:
            return self
        for name in ("species_fraction", "membrane"):
            if getattr(self, name):
                raise ValueError(
                    f"{name} goes with the built-in molecule; leave it out where maps are given"
                )
        return self
