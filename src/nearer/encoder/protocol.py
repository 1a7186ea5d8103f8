"""What an encoder is: prepare items on the CPU, embed a prepared batch, save. No adapters."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

WAY_OUT = "Choose another model: nearer models"
"""What is said where a model embeds no such items."""

Side = Literal["query", "document"]
"""Which side of a search an item stands on; decides the prompt and, of two towers, the tower."""

Precision = Literal["fp32", "bf16", "fp16"]

Features = Mapping[str, Any]
"""What a model's forward takes: tensors whose first dimension is the batch, and scalars."""

Track = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""A seam for progress: `with track("Embedding index", 5430) as advance: advance(64)`."""


def untracked(description: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
    """Track nothing; the default wherever progress can be shown."""
    return nullcontext(lambda done: None)


@dataclass(frozen=True)
class Prepared:
    """Items made ready for the model: all that the CPU can do before the forward pass.

    Attributes:
        lengths: Shape (n,), tokens of each item that are not padding; equal for images.
        take: Gives the features of some rows (an integer array), padded no further than they need.
        padded: Whether they are tokens with a mask that says what of them is padding, so that it
            can be left out where the encoder packs; see `Packs`.
    """

    lengths: np.ndarray
    take: Callable[[np.ndarray], Features]
    padded: bool = False

    def __len__(self) -> int:
        return len(self.lengths)


class Encoder(Protocol):
    """What learns. Anything with these members can be trained, evaluated and saved.

    Attributes:
        name: Short name of the model; the prefix of its metrics ("minilm_ndcg_at_k").
        module: What is trained; its mode (train, eval) and device are the caller's business.
        precision: What it computes in, in training and evaluation alike; the weights stay float32.
    """

    name: str
    module: nn.Module
    precision: Precision

    @property
    def dimension(self) -> int:
        """Length of an embedding."""

    def prepare(self, items: Sequence[Any], side: Side) -> Prepared:
        """Tokenise or decode items on the CPU; never touches the weights."""

    def embed(self, features: Features, side: Side) -> Tensor:
        """Embed prepared features: shape (n, dimension), with a graph where gradients are on."""

    def save(self, folder: Path) -> None:
        """Write all that is needed to load the encoder again into an empty folder."""

    def fingerprint(self, side: Side) -> str:
        """Name what shapes an embedding beside weights and code: prompt, length, precision."""

    def as_it_came(self) -> "Encoder":
        """The encoder without the head that was newly added to it; itself where none was."""


@runtime_checkable
class PreparesNumbers(Protocol):
    """What an encoder may have beside: texts that it tokenised before, asked for by number.

    An encoder may also have an attribute `prepares_ahead`; where it is true, `prepare` and
    `prepare_numbers` draw no random numbers and may run on another thread than `embed`.
    """

    def prepare_numbers(self, texts: object, numbers: np.ndarray, side: Side) -> Prepared | None:
        """What `prepare` makes of these texts, bit for bit; None where it does not know them."""


@runtime_checkable
class Packs(Protocol):
    """What an encoder may have beside: training on texts that stand in one row, without padding.

    Asked for what `prepare` gives with `padded=True`. `embed` is then given `input_ids`,
    `position_ids` and the like in shape (1, tokens), `cu_seq_lens_q` (where texts begin) and
    `nearer_lengths` (their tokens, an array), and no mask: see `nearer.encoder.packing.packed`.
    """

    def packs(self, side: Side) -> bool:
        """Whether `embed` takes that for a side.

        Has to be the same answer for the same model, so that a run that is resumed goes on alike.
        """


def parts_that_came(encoder: Encoder) -> list[nn.Module]:
    """The modules that an encoder, or each of its towers, came with: without newly added heads."""
    towers: Mapping[str, Encoder] = getattr(encoder, "towers", {})
    return [part.as_it_came().module for part in towers.values() or (encoder,)]


def is_split(tensor: Tensor) -> bool:
    """Whether this process holds a part of a tensor only; see `nearer.loop.split`."""
    return hasattr(tensor, "full_tensor")  # looked up by name: one process needs no DTensor


def device_of(module: nn.Module) -> torch.device:
    """Device of a module's parameters; CPU for a module that has none."""
    return next((p.device for p in module.parameters()), torch.device("cpu"))
