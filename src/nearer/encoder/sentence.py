"""The adapter for SentenceTransformer: texts, pictures, CLIP, whatever that library can load."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from torch import Tensor

from nearer.encoder.lora import ADAPTER, has_adapters, merged, save_adapter
from nearer.encoder.packable import first_position
from nearer.encoder.packing import KNOWN, LENGTHS
from nearer.encoder.padding import padded_fully
from nearer.encoder.pictures import rgb_of
from nearer.encoder.protocol import WAY_OUT, Features, Precision, Prepared, Side
from nearer.encoder.quiet import quiet
from nearer.encoder.segments import PackedAttention, Segments
from nearer.encoder.tokens import Tokens
from nearer.encoder.views import View
from nearer.errors import ModelError

TOGETHER = 256
"""Pictures that are decoded ahead at once; of more, each group when its turn comes."""

PICTURE = 128
"""What a picture counts for where texts count tokens, so that micro-batches are of a like size."""

PROMPTS: dict[Side, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}
"""Names under which a SentenceTransformer keeps the prompt of each side; the first one counts."""


class SentenceTransformerEncoder:
    """Trains and evaluates a `SentenceTransformer`, and is saved as one.

    Texts are tokenised with the model's own settings; the prompt of a side is the one that
    `encode_query` and `encode_document` would use.

    Args:
        model: The model; it is trained in place.
        name: Short name; prefix of the metrics.
        precision: "fp32", "bf16" or "fp16".
        head: Places of a newly added projection among the model's modules, if there is one.

    Attributes:
        tokens: Texts that are tokenised already, by texts and side; see `tokenise`.
        keep_adapter: Whether `save` writes adapters (LoRA) beside the weights they are merged into.
    """

    prepares_ahead = True

    def __init__(
        self,
        model: SentenceTransformer,
        name: str,
        precision: Precision = "fp32",
        head: range | None = None,
    ) -> None:
        self.model = model
        self.module = model
        self.name = name
        self.precision: Precision = precision
        self.head = head
        self.keep_adapter = False
        self.one_at_a_time = Lock()  # a tokenizer must not be used by two threads at once
        self.tokens: dict[tuple[object, Side], Tokens] = {}
        self._first: dict[Side, int | None] = {}  # positions of packed texts count from here

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        found = self.model.truncate_dim or self.model.get_embedding_dimension()
        if found is None:
            raise ModelError(f"{self.name} does not say how long its embeddings are")
        return int(found)

    def prepare(self, items: Sequence[Any], side: Side) -> Prepared:
        """Tokenise texts, or decode pictures (paths) and preprocess them.

        Raises:
            ModelError: The model does not embed what the items are.
        """
        if len(items) > TOGETHER and not any(isinstance(item, str) for item in items):

            def take_when_asked(rows: np.ndarray) -> Features:
                return self.preprocess([_decoded(items[row]) for row in rows.tolist()], side)

            return Prepared(np.full(len(items), PICTURE, dtype=np.int64), take_when_asked)
        items = [_decoded(item) for item in items]
        features = self.preprocess(items, side)
        count = len(items)
        mask = features.get("attention_mask")
        per_row = {k: v for k, v in features.items() if isinstance(v, Tensor) and v.ndim > 0}
        if any(len(value) != count for value in per_row.values()):
            # Some processors pack rows into one tensor that cannot be cut: prepare when taken.
            def take_late(rows: np.ndarray) -> Features:
                return self.preprocess([items[row] for row in rows], side)

            return Prepared(np.ones(count, dtype=np.int64), take_late)
        if mask is None or mask.ndim != 2 or padded_fully(self.model):
            tokens = features.get("input_ids")
            width = PICTURE if tokens is None or tokens.ndim != 2 else tokens.shape[1]
            lengths = np.full(count, width, dtype=np.int64)
            return Prepared(lengths, lambda rows: {**features} | _rows(per_row, rows, slice(None)))
        lengths = mask.sum(dim=1).numpy()
        width = mask.shape[1]
        left = getattr(self.model.tokenizer, "padding_side", "right") == "left"

        def take(rows: np.ndarray) -> Features:
            longest = int(lengths[rows].max())
            cut = slice(width - longest, width) if left else slice(0, longest)
            return {**features} | _rows(per_row, rows, cut, width)

        return Prepared(lengths, take, padded=set(per_row) <= KNOWN)

    def prepare_numbers(self, texts: object, numbers: np.ndarray, side: Side) -> Prepared | None:
        """What `prepare` makes of texts that were tokenised before; None where they were not."""
        tokens = self.tokens.get((texts, side))
        return None if tokens is None else tokens.prepared(numbers)

    def embed(self, features: Features, side: Side) -> Tensor:
        """Run the model, on texts that are padded or packed: shape (n, dimension)."""
        given = dict(features)
        lengths = given.pop(LENGTHS, None)
        if lengths is not None:
            given["position_ids"] = given["position_ids"] + (self._first.get(side) or 0)
        with nullcontext() if lengths is None else PackedAttention(Segments(lengths)):
            embedding: Tensor = self.module(given, task=side)["sentence_embedding"]
        return embedding[:, : self.model.truncate_dim] if self.model.truncate_dim else embedding

    def packs(self, side: Side) -> bool:
        """Whether texts of a side may be packed; tried once."""
        if side not in self._first:
            self._first[side] = first_position(self, side)
        return self._first[side] is not None

    def save(self, folder: Path) -> None:
        """Write the folder that `SentenceTransformer(path)` loads; adapters become weights."""
        adapted = has_adapters(self.model)
        model = merged(self.model) if adapted else self.model
        if adapted and self.keep_adapter:
            save_adapter(self.model, folder / ADAPTER)
        with quiet():
            model.save_pretrained(str(folder), create_model_card=False)

    def fingerprint(self, side: Side) -> str:
        """Prompt, length and truncation; the weights are the caller's to hash."""
        length = self.model.get_max_seq_length()
        return f"{self.prompt(side)!r}|{length}|{self.model.truncate_dim}|{self.precision}"

    def as_it_came(self) -> "SentenceTransformerEncoder":
        """The model without its newly added head; the weights are shared."""
        if self.head is None:
            return self
        modules = [module for i, module in enumerate(self.model) if i not in self.head]
        bare = SentenceTransformer(
            modules=modules,
            prompts=self.model.prompts,
            default_prompt_name=self.model.default_prompt_name,
            device=str(self.model.device),
        )
        return SentenceTransformerEncoder(bare, self.name, self.precision)

    def preprocess(self, items: Sequence[Any], side: Side) -> Features:
        """The features of some items as one batch, padded to the longest."""
        with self.one_at_a_time:
            prompt = self.prompt(side)
            try:
                features: Features = self.model.preprocess(items, prompt=prompt, task=side)
            except ValueError as error:
                if "modalit" not in str(error).lower():  # a model of texts is given pictures
                    raise
                raise ModelError(f"{self.name} does not fit the data: {error} {WAY_OUT}") from error
        return features

    def prompt(self, side: Side) -> str | None:
        """What is put before the texts of a side."""
        prompts: dict[str, str] = self.model.prompts
        fallback = prompts.get(self.model.default_prompt_name)
        return next((prompts[name] for name in PROMPTS[side] if name in prompts), fallback)


def _decoded(item: Any) -> Any:
    """A picture where the item stands for one; a text is a plain string and stays what it is."""
    if isinstance(item, View):
        return item.of(rgb_of(item.picture))
    return rgb_of(item) if isinstance(item, Path | bytes | Image.Image) else item


def _rows(
    tensors: dict[str, Tensor], rows: np.ndarray, cut: slice, width: int | None = None
) -> dict[str, Tensor]:
    index = torch.from_numpy(rows)
    return {
        name: value[index][:, cut] if value.ndim == 2 and value.shape[1] == width else value[index]
        for name, value in tensors.items()
    }
