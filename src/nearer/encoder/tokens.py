"""Texts that are tokens already: mapped from a file, cut out and padded. Tokenises nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nearer.encoder.packing import KNOWN
from nearer.encoder.protocol import Features, Prepared

IDS, ENDS, FACTS = "ids", "ends", "facts.json"


@dataclass(frozen=True)
class Form:
    """What a model takes beside the ids of its tokens.

    Attributes:
        pad: Id of the padding.
        left: Whether the padding stands before a text.
        tensors: Names of the tensors, in order; all but ids and mask are 0 everywhere.
        rest: Everything else, the same for every batch.
    """

    pad: int
    left: bool
    tensors: tuple[str, ...]
    rest: Mapping[str, Any]


class Tokens:
    """The tokens of numbered texts.

    Args:
        ids: Shape (tokens,): those of all texts, one after the other.
        ends: Shape (texts + 1,), int64: where each text begins, and where the last one ends.
        form: How features are made of them.
    """

    def __init__(self, ids: np.ndarray, ends: np.ndarray, form: Form) -> None:
        self.ids, self.ends, self.form = ids, ends, form

    @classmethod
    def open(cls, folder: Path, form: Form) -> "Tokens":
        """Map the tokens in a folder.

        Raises:
            ValueError: It is damaged.
        """
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        ids = np.memmap(folder / IDS, facts["dtype"], "r", shape=(facts["tokens"],))
        ends = np.memmap(folder / ENDS, "<i8", "r", shape=(facts["texts"] + 1,))
        if ends[-1] != len(ids):
            raise ValueError(f"{folder} is damaged")
        return cls(ids, ends, form)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def prepared(self, numbers: np.ndarray) -> Prepared:
        """What the encoder would make of these texts, bit for bit.

        Args:
            numbers: Shape (n,), whole numbers; one may stand twice.
        """
        starts, lengths = self.ends[numbers], self.ends[numbers + 1] - self.ends[numbers]
        inside = np.r_[0, np.cumsum(lengths)]
        # All of them are read here and now: this may be on another thread than the forward pass.
        where = np.repeat(starts - inside[:-1], lengths) + np.arange(inside[-1])
        ids = self.ids[where].astype(np.int64)

        def take(rows: np.ndarray) -> Features:
            return self._features(ids, inside[rows], lengths[rows])

        return Prepared(lengths, take, padded=set(self.form.tensors) <= KNOWN)

    def _features(self, ids: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> Features:
        width = int(lengths.max())
        place = np.arange(width)[None, :]
        if self.form.left:
            place = place - (width - lengths)[:, None]
            mask = place >= 0
        else:
            mask = place < lengths[:, None]
        found = np.full(mask.shape, self.form.pad, dtype=np.int64)
        found[mask] = ids[(starts[:, None] + place)[mask]]
        made = {
            "input_ids": torch.from_numpy(found),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        }

        def tensor(name: str) -> Tensor:
            return made[name] if name in made else torch.zeros(mask.shape, dtype=torch.int64)

        return {**{name: tensor(name) for name in self.form.tensors}, **self.form.rest}
