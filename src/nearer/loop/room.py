"""How many tokens of activations fit: bytes that a token takes, measured, and bytes there are."""

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from nearer.encoder.embedding import autocast
from nearer.encoder.protocol import Encoder, device_of
from nearer.encoder.sizes import parse_size
from nearer.loop.randomness import random_state, set_random_state
from nearer.loop.split import own_part
from nearer.loop.step import Part, Work, embed_group

SHARE = 0.5
"""Share of the free memory that "auto" gives to activations; gradients on their way, the loss and
whatever else runs on the machine take from the rest."""

PROBE = 2
"""Rows of the smaller probe; the larger one has twice as many."""

LEAST = 1 << 20
"""Bytes that are always taken for free, so that a full machine still trains, slowly."""


def graph_room(encoder: Encoder, work: Work, memory: int | str, processes: int = 1) -> int:
    """Most tokens, padding included, whose activations may be held for a backward pass.

    Args:
        encoder: Who embeds; what it does for its longest items is measured.
        work: A batch like those to come.
        memory: Bytes for activations, "4GiB", or "auto" for half of what is free.
        processes: How many share the batch; on a CPU "auto" is for all of them together.

    Returns:
        At least 1. What follows from "auto" depends on the machine at that moment, so it has to
        be kept for a run that is to be repeated.
    """
    device = device_of(encoder.module)
    if memory == "auto":
        room = SHARE * free_bytes(device, encoder.module)
        if device.type == "cpu":
            room /= processes
    else:
        room = parse_size(memory, "training_memory")
    return max(1, int(room / max(1.0, bytes_per_token(encoder, work))))


def bytes_per_token(encoder: Encoder, work: Work) -> float:
    """Bytes that the graph holds for a padded token of the longest item of a batch.

    Two probes of different size, since some of what is kept does not grow with the rows (weights
    in a lower precision). Random numbers and buffers are left as they were.
    """
    part = max(work.parts, key=lambda part: int(part.prepared.lengths.max()))
    longest = int(part.prepared.lengths.argmax())
    tokens = max(1, int(part.prepared.lengths[longest]))
    small, large = (_saved(encoder, part, longest, rows) for rows in (PROBE, 2 * PROBE))
    return max(0.0, (large - small) / (PROBE * tokens))


def free_bytes(device: torch.device, module: nn.Module) -> int:
    """Bytes that are free on a device, gradients and AdamW's averages set aside."""
    trained = sum(own_part(p).nbytes for p in module.parameters() if p.requires_grad)
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
    else:
        free = min(psutil.virtual_memory().available, _container_bytes())
    return max(LEAST, free - 3 * trained)


def _container_bytes() -> int:
    """What a container's limit leaves; psutil sees the whole machine."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = int((folder / "memory.max").read_text())
        return limit - int((folder / "memory.current").read_text())
    except (OSError, ValueError):  # none, or no limit ("max")
        return 2**62


def _saved(encoder: Encoder, part: Part, row: int, rows: int) -> int:
    """Bytes that autograd keeps of a forward pass, each piece of memory once, weights left out."""
    device = device_of(encoder.module)
    weights = {_address(p) for p in encoder.module.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def count(tensor: Tensor) -> Tensor:
        address = _address(tensor)
        if address not in weights:
            kept[address] = tensor.untyped_storage()
        return tensor

    state = random_state(device)
    buffers = [(buffer, buffer.clone()) for buffer in encoder.module.buffers()]
    with (
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
        autocast(encoder, device),
    ):
        embedded: Any = embed_group(encoder, part, np.full(rows, row))
    held = sum(storage.nbytes() for storage in kept.values())  # of weights that are split: 0 by now
    del embedded  # only now: an address that was free would be given away again
    for buffer, before in buffers:
        buffer.copy_(before)
    set_random_state(state, device)
    return held


def _address(tensor: Tensor) -> int:
    return own_part(tensor).untyped_storage().data_ptr()
