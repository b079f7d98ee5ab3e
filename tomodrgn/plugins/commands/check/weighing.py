"""Comparisons of transfer functions and CTF states, weighed by what the noise of images says.

Maps, and the spectra of what they leave, say less of these: misfits of any model of the radiation
damage, or of a crop, look like another state or another pixel size.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tomodrgn.core.inspection import alternatives as tried

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomodrgn.core.inspection.alternatives import Alternative
    from tomodrgn.core.inspection.comparison import Comparison
    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.core.inspection.state import NoiseEvidence

_TRANSFER: Final = frozenset({tried.CTF, tried.PIXEL_SIZE})


def weighed(
    comparison: Comparison, noise: NoiseEvidence, sample: Sample, accepted: Sequence[Alternative]
) -> Comparison:
    """A comparison that also rests on noise.

    Args:
        comparison: of maps.
        noise: of images of the set.
        sample: the ground of the comparison.
        accepted: alternatives that have been taken for true in it.
    """
    alternative = comparison.alternative
    is_accusing = comparison.decision in {"contradicted", "doubtful"}
    if alternative.assumption in _TRANSFER:
        is_denied = is_accusing and noise.is_against([*accepted, alternative])
        return replace(comparison, decision="undecided") if is_denied else comparison
    if alternative.assumption != tried.CTF_STATE:
        return comparison
    changed = alternative.change(sample)
    is_multiplied = _is_multiplied(sample)
    if changed is None or _is_multiplied(changed) == is_multiplied:
        return comparison
    says, z = noise.under(accepted)
    if says == ("multiplied" if is_multiplied else "not multiplied"):
        return replace(comparison, decision="supported", z=-abs(z))
    if says == "multiplied" and not is_accusing:  # at fine detail, which maps do not reach
        return replace(comparison, decision="contradicted", z=abs(z))
    decision = comparison.decision
    if is_accusing and says == "nothing":
        decision = "undecided"
    elif not is_accusing and says == "not multiplied":
        decision = "doubtful"
    return replace(comparison, decision=decision)


def _is_multiplied(sample: Sample) -> bool:
    return all(group.state.ctf_premultiplied for group in sample.optics)
