#!/bin/bash
# Prepare the cache of a large set on a node without GPUs; train.sh then starts at once.
#
#   job=$(sbatch --parsable prepare.sh)
#   sbatch --dependency=afterok:$job train.sh
#SBATCH --job-name=tomodrgn-prepare
#SBATCH --nodes=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=12:00:00
set -euo pipefail

PARTICLES=particles.star # STAR file of the tilt images
CACHE=/fast/cache.h5     # on a disk that all nodes see

# Of a set of many millions of images, let several nodes share the files of the cache:
#   srun --nodes=4 --ntasks-per-node=1 tomodrgn prepare "$PARTICLES" --cache "$CACHE" --processes 16
srun --ntasks=1 tomodrgn prepare "$PARTICLES" --cache "$CACHE"
