"""Embedding many items through any Encoder: micro-batches of like length, order restored."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nearer.encoder.heap import memory_kept
from nearer.encoder.protocol import Encoder, Features, Prepared, Side, device_of

TOKEN_BUDGET = 4096
"""Padded tokens embedded at a time; about what fits a processor's cache (docs/benchmarks.md)."""

TRAIN_BUDGET = 4096
"""The same with gradients (docs/benchmarks.md)."""

GPU_BUDGET = 1 << 16
"""The same without gradients on a GPU."""

CHUNK = 2048
"""Items prepared at a time in `encode`, so that tokens of a large index are never held at once."""

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def micro_batches(
    lengths: np.ndarray, most: int | None = None, budget: int = TOKEN_BUDGET
) -> list[np.ndarray]:
    """Split items into groups of like length, longest first.

    Args:
        lengths: Shape (n,), tokens of each item.
        most: Most items of a group; None for no limit but the budget.
        budget: Most tokens of a group, padding included; a single longer item is a group by itself.

    Returns:
        Integer arrays that together hold 0 … n-1 once each.

    Example:
        >>> [group.tolist() for group in micro_batches(np.array([1, 9, 2, 8]), budget=18)]
        [[1, 3], [2, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    groups = []
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        size = min(size, most) if most else size
        groups.append(order[start : start + size])
        start += size
    return groups


def embed_prepared(
    encoder: Encoder,
    prepared: Prepared,
    side: Side,
    *,
    micro_batch: int | None = None,
    budget: int = TOKEN_BUDGET,
    advance: Callable[[int], None] = lambda done: None,
) -> Tensor:
    """Embed prepared items in micro-batches of like length and put them back in order.

    Keeps the graph where gradients are on; the result is float32 whatever the precision.

    Returns:
        Shape (n, dimension), on the encoder's device.
    """
    device = device_of(encoder.module)
    groups = micro_batches(prepared.lengths, micro_batch, budget)
    parts = []
    # One context for all groups, so that weights are brought to a lower precision once.
    with autocast(encoder, device):
        for group in groups:
            features = to_device(prepared.take(group), device)
            parts.append(encoder.embed(features, side).float())
            advance(len(group))
    back = np.empty(len(prepared), dtype=np.int64)
    back[np.concatenate(groups)] = np.arange(len(prepared))
    return torch.cat(parts)[torch.from_numpy(back).to(device)]


@torch.inference_mode()
@memory_kept()
def encode(
    encoder: Encoder,
    items: Sequence[Any],
    side: Side,
    *,
    advance: Callable[[int], None] = lambda done: None,
    fresh: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """Embed items for evaluation or use: in eval mode, no gradients, modes restored after.

    While a chunk is embedded the next one is tokenised (or decoded) on another thread.

    Args:
        encoder: Any encoder.
        items: Texts or pictures; an empty sequence gives an array of shape (0, dimension).
        side: "query" or "document": decides the prompt and, of two towers, the tower.
        advance: Called with the number of items done since the last call.
        fresh: Called with the number of items that went through the encoder: here, all of them.

    Returns:
        Shape (n, dimension), float32.
    """
    if not len(items):
        return np.empty((0, encoder.dimension), dtype=np.float32)
    out: np.ndarray | None = None
    starts = range(0, len(items), CHUNK)
    budget = inference_budget(device_of(encoder.module))
    with evaluating(encoder.module), ThreadPoolExecutor(1, "nearer-prepare") as ahead:

        def prepare(start: int) -> Prepared:
            return encoder.prepare(items[start : start + CHUNK], side)

        coming = ahead.submit(prepare, 0)
        for start in starts:
            prepared = coming.result()
            if start + CHUNK < len(items):
                coming = ahead.submit(prepare, start + CHUNK)
            embedded = embed_prepared(encoder, prepared, side, budget=budget, advance=advance)
            if out is None:
                out = np.empty((len(items), embedded.shape[1]), dtype=np.float32)
            out[start : start + CHUNK] = embedded.cpu().numpy()
    assert out is not None
    fresh(len(items))
    return out


def inference_budget(device: torch.device) -> int:
    """Padded tokens that are embedded at a time without gradients.

    On a CPU about what keeps a layer's activations in the processor's cache and gives every thread
    rows to multiply; measured in docs/benchmarks.md. On a GPU enough to keep it busy.
    """
    if device.type != "cpu":
        return GPU_BUDGET
    return min(TOKEN_BUDGET, max(1024, 512 * torch.get_num_threads()))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module in eval mode and give every submodule its own mode back after."""
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for submodule, training in modes:
            submodule.training = training


def autocast(encoder: Encoder, device: torch.device) -> torch.autocast:
    """The precision an encoder computes in, as a context."""
    dtype = AUTOCAST.get(encoder.precision)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)


def to_device(features: Features, device: torch.device) -> dict[str, Any]:
    """Move the tensors among some features; the rest stays as it is.

    To a CUDA device by way of pinned memory, so that the copy need not be waited for.
    """
    return {
        name: _moved(value, device) if isinstance(value, Tensor) else value
        for name, value in features.items()
    }


def _moved(value: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda" and value.device.type == "cpu":
        value = value.pin_memory()
    return value.to(device, non_blocking=True)
