"""How the processes of a run are started: by the program itself, by torchrun or by srun."""

from __future__ import annotations

import atexit
import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from tomodrgn.core.errors import RunError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from tomodrgn.core.specs.training import DevicesSpec

logger = logging.getLogger(__name__)

_PATIENCE: Final = timedelta(days=14)
"""How long processes wait for each other: the cache of a large set takes days to prepare."""


_NODE_BY_HAND: Final = "NODE_RANK"
"""The variable by which a user who starts the nodes by hand tells each its number."""
_MAX_ON_FEW_CORES: Final = 8


class Launch(NamedTuple):
    """The processes of a run, and what starts them.

    Attributes:
        per_node: on each node, one per device.
        nodes: that take part.
        starter: program that has started them already; None if this program does.
    """

    per_node: int
    nodes: int
    starter: str | None = None

    @property
    def n_processes(self) -> int:
        """On all nodes together."""
        return self.per_node * self.nodes


def plan_launch(spec: DevicesSpec, n_gpus: int) -> tuple[str, Launch]:
    """Kind of device, and the processes that a run has.

    Args:
        spec: what the user asks for; a starter that was used has the last word where the spec
            leaves one device on one node, as it does by default.
        n_gpus: GPUs that torch sees on this node.

    Raises:
        RunError: there are no such devices, or the starter has started other processes than the
            spec asks for.
    """
    accelerator = spec.accelerator
    if accelerator == "auto":
        accelerator = "gpu" if n_gpus else "cpu"
    if accelerator == "gpu" and not n_gpus:
        raise RunError("devices.accelerator: gpu is asked for but torch sees none; use cpu or auto")
    launch = Launch(spec.devices, spec.nodes)
    if spec.multigpu and accelerator == "gpu":
        launch = Launch(n_gpus, spec.nodes)
    elif spec.multigpu:
        logger.warning("--multigpu: torch sees no GPU; going on with %d CPU process", spec.devices)
    started = _started()
    if started is not None:
        if launch.n_processes > 1 and launch[:2] != started[:2]:
            raise RunError(
                f"devices: {started.starter} has started {started.per_node} processes on each of "
                f"{started.nodes} nodes, --devices {launch.per_node} --nodes {launch.nodes} asks "
                "for others; start one process per device, or leave these options out"
            )
        launch = started
    elif launch.nodes > 1 and _NODE_BY_HAND not in os.environ:
        raise RunError(
            f"devices.nodes: {launch.nodes} nodes are asked for, and neither torchrun nor srun has "
            "started this process; start the command on each node by one of them, or leave --nodes "
            "out"
        )
    most = max(os.cpu_count() or 1, _MAX_ON_FEW_CORES)
    if accelerator == "cpu" and launch.per_node > most:
        raise RunError(
            f"devices.devices: {launch.per_node} processes on CPUs are asked for, this node has "
            f"{os.cpu_count()} cores; ask for at most {most}"
        )
    if accelerator == "gpu" and launch.per_node > n_gpus:
        raise RunError(
            f"devices.devices: {launch.per_node} GPUs are asked for, torch sees {n_gpus}; ask for "
            "fewer, or let each process see all GPUs of its node"
        )
    return accelerator, launch


def start(accelerator: str, launch: Launch) -> Fabric:
    """Start the processes of a run, of which there are several, or join them.

    Returns in every process.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind = "cuda" if accelerator == "gpu" else "cpu"
    environments = {"torchrun": TorchElasticEnvironment, "srun": SLURMEnvironment}
    environment = environments.get(launch.starter or "", LightningEnvironment)()
    fabric = Fabric(
        accelerator=kind,
        devices=launch.per_node,
        num_nodes=launch.nodes,
        strategy=DDPStrategy(timeout=_PATIENCE),
        plugins=[environment],
    )
    fabric.launch()
    atexit.register(_leave)
    if fabric.global_rank:
        logging.getLogger("tomodrgn").setLevel(logging.WARNING)  # the main process tells the rest
    return fabric


def _leave() -> None:
    """End the process group and its threads before the interpreter ends.

    A thread of the group that lets go of the last message while the interpreter is being taken down
    asks for its lock in vain, and the whole process aborts after its work is done.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def require_one_process() -> None:
    """Refuse a command for one process where it was started in several.

    Raises:
        RunError: torchrun or srun has started several, which do not know each other yet.
    """
    started = _started()
    if started is None or torch.distributed.is_initialized():
        return
    raise RunError(
        f"this command works in one process, {started.starter} has started "
        f"{started.n_processes}; call it without {started.starter}"
    )


def _started() -> Launch | None:
    """Processes that have been started already, this one among them."""
    if torch.distributed.is_torchelastic_launched():
        found, per_node = (int(os.environ[name]) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
        launch = Launch(per_node, found // per_node, "torchrun")
    else:  # srun describes its step; a batch script outside srun has none
        found, nodes = (
            int(os.environ.get(f"SLURM_STEP_NUM_{what}", "1")) for what in ("TASKS", "NODES")
        )
        launch = Launch(found // nodes, nodes, "srun")
    return launch if launch.n_processes > 1 else None
