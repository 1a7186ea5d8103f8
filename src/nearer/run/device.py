"""What to compute on and in: the accelerator and the precision that suits it."""

import os

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs

from nearer.encoder.protocol import Precision
from nearer.errors import SpecError
from nearer.run.launch import processes_asked

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(device: str) -> None:
    """Raise SpecError for a device that is not there."""
    there = {"auto": True, "cpu": True}
    there["cuda"] = torch.cuda.is_available()
    there["mps"] = torch.backends.mps.is_available()
    if not there.get(device, False):
        names = ", ".join(name for name in DEVICES if there[name])
        raise SpecError([f'device: "{device}" is not available here; there are {names}'])


def check_launcher(device: str) -> None:
    """Raise SpecError for what a launcher asks for and a run cannot give."""
    faults = [
        f"{name} is not the launcher's to ask for: start without it, and give shard, which splits "
        "the model among the processes"
        for name, variable in SHARDED.items()
        if os.environ.get(variable, "false").lower() in ("true", "1")
    ]
    if processes_asked() > 1 and device == "mps":
        faults.append('device: "mps" takes one process; start without a launcher')
    if faults:
        raise SpecError(faults)


SHARDED = {"FSDP": "ACCELERATE_USE_FSDP", "DeepSpeed": "ACCELERATE_USE_DEEPSPEED"}
"""What splits a model among processes, and how accelerate's launcher asks for it."""


def make_accelerator(device: str) -> Accelerator:
    """Make the accelerator that places model and batches; precision is the encoder's own affair.

    One of several processes is brought together with the others here, and waits for them.

    Raises:
        SpecError: The launcher asks for FSDP or DeepSpeed, or several processes for mps.
    """
    check_launcher(device)
    several = processes_asked() > 1
    # Without `cpu` accelerate leaves several processes on a machine without a GPU to themselves.
    cpu = device == "cpu" or (several and device == "auto" and not torch.cuda.is_available())
    if not several:
        return Accelerator(cpu=cpu)
    from nearer.loop.several import PATIENCE

    return Accelerator(cpu=cpu, kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)])


def resolve_precision(asked: str, device: torch.device) -> Precision:
    """The precision to compute in; auto is bf16 where the processor has it natively, else fp32.

    Raises:
        SpecError: fp16 was asked for on a CPU, which has no arithmetic for it.
    """
    if asked == "auto":
        if device.type == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16" if device.type == "cpu" and native else "fp32"
    if asked == "fp16" and device.type == "cpu":
        raise SpecError(["precision: fp16 needs a GPU; on a CPU take fp32 or bf16"])
    precision: Precision = asked  # type: ignore[assignment]
    return precision
