"""How fast training will be, from a few micro-batches; nothing of a run changes by it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from nearer.encoder.embedding import autocast
from nearer.encoder.protocol import Encoder, device_of
from nearer.encoder.quick import QuickParts
from nearer.loop.randomness import random_state, set_random_state
from nearer.loop.step import Part, Work, embed_group, train_mode

GROUPS = 3
"""Micro-batches that are timed, after one that is not: short, middling and long ones."""


def tokens_a_second(encoder: Encoder, work: Work) -> float:
    """Tokens, padding included, that go through an encoder and back in a second of training.

    Forward and backward of a few micro-batches of a batch, with dropout, as in a step. Weights,
    gradients, modes, buffers and random numbers are left as they were.

    Args:
        encoder: What will be trained.
        work: A batch like those to come, with at least one row.

    Returns:
        More than 0. What a step costs beside its tokens (loss, optimizer) is not in it.
    """
    groups = work.micro_batches
    sizes = np.array([part.tokens(group) for part, group in groups])
    by_size = np.argsort(sizes, kind="stable")
    chosen = by_size[np.linspace(0, len(groups) - 1, min(GROUPS, len(groups))).astype(int)]
    chosen = np.unique(np.append(chosen, by_size[-1]))
    with _untouched(encoder):
        train_mode(encoder.module)
        parameters = [p for p in encoder.module.parameters() if p.requires_grad]
        quick = QuickParts(encoder.module)
        _there_and_back(encoder, groups[int(by_size[0])], parameters, quick)
        began = time.perf_counter()
        for place in chosen.tolist():
            _there_and_back(encoder, groups[place], parameters, quick)
        seconds = time.perf_counter() - began
    return float(sizes[chosen].sum()) / max(seconds, 1e-9)


def _there_and_back(
    encoder: Encoder,
    micro_batch: tuple[Part, np.ndarray],
    parameters: list[torch.nn.Parameter],
    quick: QuickParts,
) -> None:
    device = device_of(encoder.module)
    with quick.use(), torch.enable_grad():
        with autocast(encoder, device):
            embedded = embed_group(encoder, *micro_batch)
        if embedded.requires_grad:
            embedded.square().sum().backward()  # type: ignore[no-untyped-call]
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    for parameter in parameters:
        parameter.grad = None


@contextmanager
def _untouched(encoder: Encoder) -> Iterator[None]:
    """Put gradients, modes, buffers and random numbers back at the end."""
    module, device = encoder.module, device_of(encoder.module)
    modes = [(m, m.training) for m in module.modules()]
    gradients = [(p, p.grad) for p in module.parameters()]
    buffers = [(b, b.clone()) for b in module.buffers()]
    state = random_state(device)
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        set_random_state(state, device)
        for buffer, before in buffers:
            buffer.copy_(before)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for submodule, training in modes:
            submodule.training = training
