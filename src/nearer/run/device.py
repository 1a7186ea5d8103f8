"""What to compute on and in: the accelerator and the precision that suits it."""

import torch
from accelerate import Accelerator

from nearer.encoder.protocol import Precision
from nearer.errors import SpecError

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(device: str) -> None:
    """Raise SpecError for a device that is not there."""
    there = {"auto": True, "cpu": True}
    there["cuda"] = torch.cuda.is_available()
    there["mps"] = torch.backends.mps.is_available()
    if not there.get(device, False):
        names = ", ".join(name for name in DEVICES if there[name])
        raise SpecError([f'device: "{device}" is not available here; there are {names}'])


def make_accelerator(device: str) -> Accelerator:
    """Make the accelerator that places model and batches; precision is the encoder's own affair."""
    return Accelerator(cpu=device == "cpu")


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
