#!/bin/bash
# Train on all GPUs of one or many nodes: one task per GPU, started by srun.
# Two minutes before the time is over the state is saved; submit again to go on.
#SBATCH --job-name=tomodrgn
#SBATCH --nodes=1             # any number
#SBATCH --ntasks-per-node=8   # GPUs of a node; every task sees all of them, so no --gpus-per-task
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --mem=0
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
set -euo pipefail

PARTICLES=particles.star
CACHE=/fast/cache.h5
RUN=run

go_on=()
if compgen -G "$RUN/weights.*.pkl" >/dev/null; then go_on=(--load latest); fi

srun --kill-on-bad-exit=1 tomodrgn train_vae "$PARTICLES" --outdir "$RUN" --cache "$CACHE" \
    --zdim 8 --num-epochs 30 --batch-size 64 --checkpoint 5 \
    --recon-dose-weight --recon-tilt-weight "${go_on[@]}"
