"""Networks on what images say of coordinates in a linear subspace, without a look at the images."""
