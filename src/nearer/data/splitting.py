"""Held-out rows: a split by content, so that validation sees nothing that training saw."""

import numpy as np

from nearer.data.examples import Examples
from nearer.errors import DataError


def split(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Split examples into training and validation rows.

    Rows that share a query or a document, also through other rows, go to the same side: no text
    of the validation rows' queries or documents is a query or document in training. (A hard
    negative may stand on both sides.) Labelled rows are split by item and class by class; every
    class keeps at least one item in training. Both sides keep the order of the file.

    Args:
        examples: The rows.
        share: Share of the rows for validation, between 0 and 1; reached as nearly as whole
            groups allow, and never passed but where one group alone is larger.
        seed: The same seed gives the same split.

    Returns:
        Training rows, validation rows.

    Raises:
        DataError: `share` is not between 0 and 1, or the rows hang together so that no split
            leaves rows on both sides.
    """
    if not 0 < share < 1:
        raise DataError(f"val_split: {share} is not between 0 and 1 (0.1 holds out a tenth).")
    random = np.random.Generator(np.random.PCG64(seed))
    group = _groups(examples)
    held_out = (
        _whole_groups(group, share, random)
        if examples.labels is None
        else _by_class(group, examples.labels, share, random)
    )
    chosen = held_out[group]
    if chosen.all() or not chosen.any():
        raise DataError(
            f"val_split: the {len(examples)} rows of {examples.source} cannot be split: too few "
            "of them have a query and a document (or a class) apart from all others. "
            "Give held-out rows as eval_data."
        )
    return examples.take(np.flatnonzero(~chosen)), examples.take(np.flatnonzero(chosen))


def _groups(examples: Examples) -> np.ndarray:
    """The group of each row, shape (rows,): rows joined by a query or a document."""
    query = examples.codes[0]
    if examples.labels is not None:
        return np.unique(query, return_inverse=True)[1]
    # 0.2 s that only a split pays
    from scipy.sparse import coo_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    document = examples.codes[1]
    queries, documents = int(query.max()) + 1, int(document.max()) + 1
    nodes = queries + documents
    graph = coo_array(
        (np.ones(len(query), dtype=np.int8), (query, document + queries)), shape=(nodes, nodes)
    )
    _, component = connected_components(graph, directed=False)
    return np.unique(component[query], return_inverse=True)[1]


def _whole_groups(group: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Groups drawn at random until the share is full, shape (groups,), bool."""
    sizes = np.bincount(group)
    chosen = np.zeros(len(sizes), dtype=bool)
    room = max(1, round(share * len(group)))
    waiting = random.permutation(len(sizes))
    while len(waiting := waiting[sizes[waiting] <= room]):
        # The longest run that fits; what comes after it is looked at again with the room left.
        fits = int(np.searchsorted(np.cumsum(sizes[waiting]), room, side="right"))
        chosen[waiting[:fits]] = True
        room -= int(sizes[waiting[:fits]].sum())
        waiting = waiting[fits:]
    if not chosen.any() and len(sizes) > 1:
        chosen[np.argmin(sizes)] = True
    return chosen


def _by_class(
    group: np.ndarray, labels: np.ndarray, share: float, random: np.random.Generator
) -> np.ndarray:
    """Groups drawn class by class in proportion, shape (groups,), bool."""
    _, first = np.unique(group, return_index=True)
    classes = labels[first]  # the same item under two labels goes by the first
    order = random.permutation(len(first))
    order = order[np.argsort(random.permutation(labels.max() + 1)[classes[order]], kind="stable")]
    starts = np.r_[True, np.diff(classes[order]) != 0]
    candidates = order[~starts]  # the first of each class stays in training
    chosen = np.zeros(len(first), dtype=bool)
    if len(candidates):
        # Every n-th along the classes: a proportional draw without rounding class by class.
        rate = min(1.0, max(1, round(share * len(first))) / len(candidates))
        steps = np.floor(np.arange(len(candidates) + 1) * rate + random.random())
        chosen[candidates[np.diff(steps) > 0]] = True
        if not chosen.any():
            chosen[candidates[0]] = True
    return chosen
