"""Do images lie in the order of their rows? The differences between tilts of a particle tell.

A map predicts each tilt image of a particle, and by how much it differs from the others. Images in
the order of their rows show these differences whole; images of the same particle in any order show
none of them on average, whatever they show and whatever the map is. So the regression of images on
what sets their prediction apart is 1 or 0, where every comparison of two readings has to ask what
else could be the case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tomodrgn.core.inspection.prediction import as_recorded, predict

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.inspection.likelihood import Fit
    from tomodrgn.core.inspection.sample import Sample


class ShareInOrder(NamedTuple):
    """The part of the predicted differences between tilts that images show.

    Attributes:
        share: 1 where images lie in the order of their rows, 0 where they lie in any order.
        error: its standard error over particles; infinite where nothing is predicted.
    """

    share: float
    error: float


def share_in_order(sample: Sample, fitted: Fit) -> ShareInOrder:
    """How much of the differences between the tilts of a particle lie where rows say.

    With the weights w of coefficients, the same for whichever image a row shows, and the prediction
    p less its weighted mean over the tilts of a particle, d, the share is
    ``sum w Re(y d*) / sum w |d|^2``: as the sum of w d over tilts is 0, what tilts have in common
    adds nothing. Gray levels are those of the maps: a factor that fits images better would be small
    where they lie in another order, and hide it.

    Args:
        sample: images and metadata.
        fitted: its fit; maps of one half of the particles predict the other half.
    """
    model = fitted.noise
    predicted = as_recorded(sample, model.signal * predict(sample, fitted.maps, 1 - sample.half))
    weight = 1 / model.variance(sample.coefficients, predicted, sample.particle)
    mean = _sums(weight * predicted, sample) / _sums(weight, sample)
    apart = predicted - mean[sample.particle]
    shown = _sums((weight * (sample.coefficients * apart.conj()).real).sum(1).double(), sample)
    wanted = _sums((weight * apart.abs().square()).sum(1).double(), sample)
    total = float(wanted.sum())
    if not total > 0:
        return ShareInOrder(0.0, float("inf"))
    share = float(shown.sum()) / total
    left = shown - share * wanted
    return ShareInOrder(share, float(left.square().sum().sqrt()) / total)


def _sums(values: Tensor, sample: Sample) -> Tensor:
    """(B, ...) sums of (M, ...) values over the images of each particle."""
    sums = values.new_zeros((sample.n_particles, *values.shape[1:]))
    return sums.index_add_(0, sample.particle, values)
