"""Embeddings that are not computed twice: an `encode` with a memory and a store behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash

from nearer.encoder.content import content_keys
from nearer.encoder.embedding import encode
from nearer.encoder.protocol import Encoder, Side
from nearer.encoder.space import Space, space_of
from nearer.encoder.store import EmbeddingStore

BUDGET = 256 * 2**20
"""Bytes of embeddings held in memory; what does not fit is looked up or encoded again."""


@dataclass(frozen=True)
class _Held:
    embeddings: np.ndarray
    frozen: bool


class SharedEmbeddings:
    """`encode` with a memory; whoever changes the weights has to `clear` it.

    Several evaluations on the same items at one evaluation point share one pass, and a side whose
    weights are frozen is encoded once for the whole fit. With a store an embedding is also found
    again by another process, item by item: by the content of the item, the weights, and all else
    that shapes it (`space_of`).

    An embedding that is found may differ from one computed anew by the rounding of float32, as
    that depends on which other texts were in its batch.

    Args:
        store: Where embeddings are kept beyond this process; None for nowhere.
        budget: Bytes held in memory.

    Example:
        >>> shared = SharedEmbeddings(default_store())  # doctest: +SKIP
        >>> nearer.evaluation.evaluator.evaluate(encoder, data, encode=shared)  # doctest: +SKIP
    """

    def __init__(self, store: EmbeddingStore | None = None, budget: int = BUDGET) -> None:
        self._store = store
        self._budget = budget
        self._spaces: dict[tuple[int, Side], tuple[object, Space]] = {}
        self._held: dict[tuple[str, str], _Held] = {}

    def __call__(
        self,
        encoder: Encoder,
        items: Sequence[Any],
        side: Side,
        *,
        advance: Callable[[int], None] = lambda done: None,
        fresh: Callable[[int], None] = lambda count: None,
    ) -> np.ndarray:
        """Embed items, or hand out what they were embedded as; the array must not be changed.

        Args:
            encoder: Any encoder, in the state that was last cleared for.
            items: Texts or pictures.
            side: "query" or "document".
            advance: Called with the number of items done since the last call.
            fresh: Called with the number of items that the encoder had to embed.

        Returns:
            Shape (n, dimension), float32.
        """
        if not len(items):
            return encode(encoder, items, side)
        space = self._space(encoder, side)
        keys = content_keys(items)
        name = (space.key, xxhash.xxh3_128_hexdigest(keys.tobytes()))
        if name in self._held:
            advance(len(items))
            return self._held[name].embeddings
        if self._store is None or not space.lasting:
            embeddings = encode(encoder, items, side, advance=advance, fresh=fresh)
        else:
            embeddings = self._found_or_made(
                self._store, space, keys, encoder, items, side, advance, fresh
            )
        self._hold(name, _Held(embeddings, space.frozen))
        return embeddings

    def clear(self) -> None:
        """Forget all that depends on weights which may have changed."""
        self._spaces.clear()
        self._held = {name: held for name, held in self._held.items() if held.frozen}

    def _space(self, encoder: Encoder, side: Side) -> Space:
        asked = (id(encoder.module), side)
        if asked not in self._spaces:
            # The module is held, so that no other one gets its id.
            self._spaces[asked] = (encoder.module, space_of(encoder, side))
        return self._spaces[asked][1]

    def _found_or_made(
        self,
        store: EmbeddingStore,
        space: Space,
        keys: np.ndarray,
        encoder: Encoder,
        items: Sequence[Any],
        side: Side,
        advance: Callable[[int], None],
        fresh: Callable[[int], None],
    ) -> np.ndarray:
        found, embeddings = store.find(space.key, keys)
        advance(int(found.sum()))
        if found.all():
            return embeddings
        left = np.flatnonzero(~found)
        missing = [items[i] for i in left.tolist()]
        made = encode(encoder, missing, side, advance=advance, fresh=fresh)
        store.add(space.key, keys[left], made, {"model": encoder.name})
        if not found.any():
            return made
        whole = np.empty((len(items), made.shape[1]), dtype=np.float32)
        whole[found], whole[left] = embeddings, made
        return whole

    def _hold(self, name: tuple[str, str], held: _Held) -> None:
        size = held.embeddings.nbytes
        if size + sum(h.embeddings.nbytes for h in self._held.values()) <= self._budget:
            self._held[name] = held
