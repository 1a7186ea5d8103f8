"""An encoder whose frozen part is computed once for each item. Finds no cut, stores no bytes."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers.sentence_transformer.modules import Router
from torch import Tensor, nn

from nearer.encoder.content import KEY_BYTES, content_keys
from nearer.encoder.cuts import AfterLayers, Cut
from nearer.encoder.embedding import evaluating
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.prefix import Samples, carried, find_cut
from nearer.encoder.protocol import Encoder, Features, Precision, Prepared, Side, device_of
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.states import States
from nearer.encoder.towers import TwoTowers
from nearer.encoder.views import View

ROWS = "nearer_frozen_rows"
"""Name among the features of what says which states are wanted."""

LOGGER = logging.getLogger("nearer")


@dataclass(frozen=True)
class Rows:
    """Whose states a micro-batch is made of.

    Attributes:
        keys: Of each row.
        computed: The keys of those that are to be computed, in the order of the other features.
        tag: What the keys of the side begin with.
    """

    keys: Sequence[bytes]
    computed: Sequence[bytes]
    tag: bytes


def keep_frozen(
    encoder: Encoder,
    samples: Samples,
    limit: int,
    folder: Path | None = None,
    *,
    within_layers: bool = True,
) -> Encoder:
    """Let what is frozen of an encoder be computed once for each item, where something is.

    Args:
        encoder: As it will be trained; weights that are frozen now must stay as they are.
        samples: A few items of each side, to find out with.
        limit: Bytes of what is kept; 0 keeps nothing.
        folder: For what is too large for memory; None: the system's for temporary files.
        within_layers: Whether it may be cut between two layers of a transformer.

    Returns:
        An encoder around it, with the same module; or itself.
    """
    if not limit:
        return encoder
    states = States(limit, folder)
    if not isinstance(encoder, TwoTowers):
        return _kept(encoder, samples, states, "", within_layers)
    towers = {
        side: _kept(tower, {side: samples[side]}, states, side, within_layers)
        if side in samples
        else tower
        for side, tower in encoder.towers.items()
    }
    if towers == encoder.towers:
        return encoder
    return TwoTowers(towers["query"], towers["document"])


def _kept(
    encoder: Encoder, samples: Samples, states: States, tower: str, within_layers: bool
) -> Encoder:
    cut = find_cut(encoder, samples, within_layers=within_layers)
    if cut is None:
        return encoder
    LOGGER.info("Frozen, and computed once for each item: %s of %s", cut.what, encoder.name)
    return FrozenPart(encoder, cut, states, tower, {})


@contextmanager
def _casting_anew() -> Iterator[None]:
    """Let autocast remember no weights: those cast without a graph would be found with one."""
    remembers = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(remembers)


class FrozenPart:
    """An encoder of which a frozen part is computed once for each item, by content.

    What the frozen part makes of an item is computed when the item first comes by, in eval mode and
    without a graph, and is found again afterwards, whichever side, batch or evaluation asks.

    Args:
        plain: The encoder itself.
        cut: Between the frozen part and the rest.
        states: Where it is kept.
        tower: Of two towers, which one; what one makes of an item is not what the other does.
        along: What goes along with states, by tag; shared by those that share `states`.
    """

    def __init__(
        self,
        plain: Encoder,
        cut: Cut,
        states: States,
        tower: str,
        along: dict[bytes, dict[str, Any]],
    ) -> None:
        self.plain, self.cut = plain, cut
        self.name = plain.name
        self.module: nn.Module = plain.module
        self.precision: Precision = plain.precision
        self._states, self._tower, self._along = states, tower, along

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return self.plain.dimension

    def prepare(self, items: Sequence[Any], side: Side) -> Prepared:
        """Prepare the items that are new; of the others nothing is needed but their keys."""
        if any(isinstance(item, View) for item in items):
            return self.plain.prepare(items, side)  # another one at every epoch
        if isinstance(self.cut, AfterLayers) and not all(isinstance(i, str) for i in items):
            return self.plain.prepare(items, side)  # pictures go through other layers
        tag = self._tag(side, items)
        flat = content_keys(items).tobytes()
        keys = [tag + flat[i : i + KEY_BYTES] for i in range(0, len(flat), KEY_BYTES)]
        first = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._states}
        new = sorted(first.values())
        place = {keys[row]: i for i, row in enumerate(new)}
        prepared = self.plain.prepare([items[row] for row in new], side) if new else None
        lengths = np.array(
            [
                prepared.lengths[place[key]]
                if prepared is not None and key in place
                else self._states.length(key)
                for key in keys
            ],
            dtype=np.int64,
        )

        def take(rows: np.ndarray) -> Features:
            wanted = [keys[row] for row in rows.tolist()]
            missing = [key for key in dict.fromkeys(wanted) if key not in self._states]
            features: Features = {}
            if missing:
                assert prepared is not None
                features = prepared.take(np.array([place[key] for key in missing]))
            return {**features, ROWS: Rows(wanted, missing, tag)}

        return Prepared(lengths, take)

    def embed(self, features: Features, side: Side) -> Tensor:
        """Compute the states that are new, then the rest on all of them: shape (n, dimension)."""
        if ROWS not in features:
            return self.plain.embed(features, side)
        rows: Rows = features[ROWS]
        made: dict[bytes, Tensor] = {}
        if rows.computed:
            own = {name: value for name, value in features.items() if name != ROWS}
            with torch.no_grad(), evaluating(self.module), _casting_anew():
                made = dict(zip(rows.computed, self.cut.states(self.plain, own, side), strict=True))
            self._along[rows.tag] = carried(own)
            for key, state in made.items():
                self._states.add(key, state)
        found = [key for key in dict.fromkeys(rows.keys) if key not in made]
        made |= zip(found, self._found(found), strict=True)
        states = [made[key] for key in rows.keys]
        return self.cut.finish(self.plain, states, self._along[rows.tag], side)

    def save(self, folder: Path) -> None:
        """Save the encoder itself."""
        self.plain.save(folder)

    def fingerprint(self, side: Side) -> str:
        """That of the encoder itself."""
        return self.plain.fingerprint(side)

    def as_it_came(self) -> "FrozenPart":
        """The encoder without its newly added head, on the same states."""
        came = self.plain.as_it_came()
        if came is self.plain:
            return self
        return FrozenPart(came, self.cut, self._states, self._tower, self._along)

    def _found(self, keys: Sequence[bytes]) -> list[Tensor]:
        kept = [self._states.get(key) for key in keys]
        device = device_of(self.module)
        if device.type == "cpu" or not kept:
            return kept
        # One copy to the device, not one for each row.
        flat = torch.cat([state.view(-1) for state in kept]).to(device, non_blocking=True)
        parts = torch.split(flat, [state.numel() for state in kept])
        return [part.view(state.shape) for part, state in zip(parts, kept, strict=True)]

    def _tag(self, side: Side, items: Sequence[Any]) -> bytes:
        """What a state depends on beside the content of its item."""
        plain = self.plain
        blind = isinstance(plain, ModuleEncoder) or (
            isinstance(plain, SentenceTransformerEncoder)
            and not any(isinstance(part, Router) for part in plain.model)
        )
        kind = type(items[0]).__name__ if len(items) else ""
        said = f"{self._tower}|{'' if blind else side}|{kind}|{plain.fingerprint(side)}"
        return hashlib.blake2b(said.encode(), digest_size=8).digest()
