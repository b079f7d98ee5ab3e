#!/bin/bash
# The same with one torchrun per node, which starts a process per GPU; for clusters whose srun
# does not start several tasks on a node.
#SBATCH --job-name=tomodrgn
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --mem=0
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
set -euo pipefail

PARTICLES=particles.star
CACHE=/fast/cache.h5
RUN=run

go_on=()
if compgen -G "$RUN/weights.*.pkl" >/dev/null; then go_on=(--load latest); fi
main=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun --kill-on-bad-exit=1 torchrun --nnodes "$SLURM_NNODES" --nproc-per-node 8 \
    --rdzv-backend c10d --rdzv-endpoint "$main:29500" --rdzv-id "$SLURM_JOB_ID" \
    -m tomodrgn train_vae "$PARTICLES" --outdir "$RUN" --cache "$CACHE" \
    --zdim 8 --num-epochs 30 --batch-size 128 --checkpoint 5 \
    --recon-dose-weight --recon-tilt-weight "${go_on[@]}"
