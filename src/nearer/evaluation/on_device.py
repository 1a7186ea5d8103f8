"""The products and the filter of a search on a GPU, through torch. The scores stay the CPU's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from nearer.evaluation.candidates import Candidates
from nearer.evaluation.distances import Block, estimate

if TYPE_CHECKING:
    import torch

    from nearer.evaluation.matching import Search

BATCH, WIDTH = 1 << 12, 1 << 14
"""Queries and index rows multiplied at a time: 256 MB of estimates on the device."""


def search_device(device: object) -> str | None:
    """Where to search, if the encoder is on this device: there if it is a CUDA or ROCm GPU.

    The error bound of the filter holds for their float32 products; what others do is not known.

    Example:
        >>> search_device("cuda:1"), search_device("cpu"), search_device("mps")
        ('cuda:1', None, None)
    """
    name = str(device)
    return name if name.split(":")[0] == "cuda" else None


def match_on_device(
    search: "Search", block: Block, most: int, device: str, done: Callable[[int], None]
) -> None:
    """Find what a block adds to the best of every query, as `matching.match` does.

    The device multiplies and filters in float32, by the same bound as on the CPU, and sends the few
    pairs that pass; they are scored again in float64 by the same code. So what is found is the
    same, bit for bit.

    Args:
        search: What is searched for.
        block: Consecutive rows of the index.
        most: Pairs held on the host at a time.
        device: Of torch: "cuda", "cuda:1", or "cpu".
        done: Called with the number of pairs matched since the last call.
    """
    queries = len(search.queries.rows)
    with _plain_float32(device):
        for low in range(0, queries, BATCH):
            part = search.part(low, min(low + BATCH, queries))
            _match_batch(search, part, block, most, device, done)


def _match_batch(
    search: "Search",
    queries: Block,
    block: Block,
    most: int,
    device: str,
    done: Callable[[int], None],
) -> None:
    import torch

    def send(array: np.ndarray | None) -> "torch.Tensor | None":
        return None if array is None else torch.from_numpy(np.ascontiguousarray(array)).to(device)

    how = estimate(search.distance, queries, block)
    candidates = Candidates(search.distance, queries, block, how, search.best, most)
    size, rows = len(queries.rows), len(block.rows)
    left, factor, offset = send(how.left), send(how.factor), send(how.offset)
    own = None
    if search.exclude is not None:
        own = search.exclude[queries.start : queries.start + size] - block.start
    for low in range(0, rows, WIDTH):
        high = min(low + WIDTH, rows)
        estimates = left @ send(how.right(block, low, high)).T  # type: ignore[operator, union-attr]
        if factor is not None:
            estimates *= factor[low:high]
        if offset is not None:
            estimates -= offset[low:high]
        if own is not None:
            here = np.flatnonzero((own >= low) & (own < high))
            estimates[send(here), send(own[here] - low)] = -torch.inf
        if candidates.unseeded and candidates.depth <= high - low:
            best = torch.topk(estimates, candidates.depth, sorted=False).values
            candidates.seed_with(best.amin(dim=1).cpu().numpy())
        passed = estimates > send(candidates.threshold)[:, None]  # type: ignore[index]
        if candidates.crowded(int(passed.sum()), size * (high - low)):
            step = max(1, most // (high - low))
            for first in range(0, size, step):
                candidates.add_crowded(passed[first : first + step].cpu().numpy(), low, first)
        else:
            query, column = torch.nonzero(passed, as_tuple=True)
            values = estimates[query, column].cpu().numpy()
            candidates.hold(query.cpu().numpy(), column.cpu().numpy() + low, values)
        done(size * (high - low))
    candidates.finish()


@contextmanager
def _plain_float32(device: str) -> Iterator[None]:
    """Products in float32 proper: the error bound knows neither TF32 nor autocast."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.inference_mode(), torch.autocast(torch.device(device).type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
