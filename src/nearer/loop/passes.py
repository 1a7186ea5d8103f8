"""One pass or two: the same gradients with the graph of a whole batch, or of one micro-batch."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nearer.encoder.embedding import autocast
from nearer.encoder.protocol import Encoder, device_of, is_split
from nearer.loop.randomness import random_state, set_random_state
from nearer.loop.state import FitConfig
from nearer.loop.step import Work, embed_group, embed_work, loss_of
from nearer.losses.protocol import Loss

Backward = Callable[[Tensor], None]
"""How a scalar is differentiated; accelerate's, which may scale it."""


def passes_needed(tokens: int, room: int, micro_batches: int, flat: bool) -> int:
    """How many passes a batch takes.

    Args:
        tokens: Tokens of the batch, padding included.
        room: Most tokens whose activations fit the memory that training may take.
        micro_batches: In how many micro-batches the batch is embedded.
        flat: Whether memory was asked to be that of one micro-batch.

    Returns:
        1: the activations of all micro-batches are held until the one backward pass. 2: those of
        one micro-batch at a time; costs another forward pass.

    Example:
        >>> [passes_needed(tokens, 10_000, 4, flat=False) for tokens in (8_000, 12_000)]
        [1, 2]
    """
    return 2 if micro_batches > 1 and (flat or tokens > room) else 1


def one_at_a_time(config: FitConfig, module: nn.Module) -> bool:
    """Whether only one micro-batch may be held at a time, whatever memory there is.

    Where it was asked for; and of a model that is split, since weights in a lower precision, and
    their whole gradients, would be held for as long as there are micro-batches to come.
    """
    return config.micro_batch is not None or any(is_split(p) for p in module.parameters())


def one_pass(encoder: Encoder, loss: Loss, work: Work) -> tuple[Tensor, Callable[[Backward], None]]:
    """The loss of a batch with its graph, and what takes the gradients from it."""
    value = loss_of(encoder, loss, work, embed_work(encoder, work))
    return value, lambda backward: backward(value)


def two_passes(
    encoder: Encoder, loss: Loss, work: Work
) -> tuple[Tensor, Callable[[Backward], None]]:
    """The loss of a batch, and what takes the gradients micro-batch by micro-batch.

    First everything is embedded without a graph and the loss gives the gradient of each embedding;
    then each micro-batch is embedded again, with the random numbers of the first time, and passes
    its share on. The gradients are those of `one_pass`.

    Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
    https://arxiv.org/abs/2101.06983
    """
    device = device_of(encoder.module)
    buffers = _buffers(encoder.module)
    states: list[list[Tensor]] = []
    with torch.no_grad():
        embedded = embed_work(encoder, work, lambda: states.append(random_state(device)))
    leaves = [part.requires_grad_() for part in embedded]
    value = loss_of(encoder, loss, work, leaves)

    def pull(backward: Backward) -> None:
        backward(value)
        after = random_state(device)
        # What a forward pass counts (batch norm's averages) must be counted once.
        for buffer, before in buffers:
            buffer.copy_(before)
        with autocast(encoder, device):
            again = zip(work.micro_batches, leaves, states, strict=True)
            for (part, group), leaf, state in again:
                set_random_state(state, device)
                replayed = embed_group(encoder, part, group)
                gradient, leaf.grad = leaf.grad, None
                if gradient is not None and replayed.requires_grad:
                    torch.autograd.backward(replayed, gradient)
        set_random_state(after, device)

    return value, pull


def _buffers(module: nn.Module) -> list[tuple[Tensor, Tensor]]:
    return [(buffer, buffer.clone()) for buffer in module.buffers()]
