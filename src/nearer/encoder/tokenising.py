"""Tokenising all texts of some data once, into a file that is mapped. Reads no data."""

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from sentence_transformers.base.modules import Transformer
from transformers import PreTrainedTokenizerFast

from nearer.encoder.kept import KeptFolders
from nearer.encoder.protocol import Encoder, Side
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.tokens import ENDS, FACTS, IDS, Form, Tokens
from nearer.encoder.towers import TwoTowers

KIND = "tokens-1"
"""Folder of the cache; another format gets another one."""

CHECKED = 256
"""Texts that are prepared both ways, to see that the tokens are the same."""

LIBRARIES = ("tokenizers", "transformers", "sentence-transformers")


class Texts(Protocol):
    """Different texts in a fixed order."""

    @property
    def key(self) -> str:
        """Names them and their order by what they are."""

    @property
    def count(self) -> int:
        """How many there are."""

    def pieces(self) -> Iterator[Sequence[str]]:
        """All of them, a few thousand at a time."""


def tokenise(
    encoder: Encoder,
    texts: Texts,
    side: Side,
    keep: KeptFolders,
    about: str,
    advance: Callable[[int], None] = lambda done: None,
) -> bool:
    """Tokenise texts for one side of an encoder, or find them tokenised; it prepares from that.

    The file is kept by texts, tokenizer, prompt and length. Memory holds a few thousand texts.

    Args:
        encoder: Any encoder; of two towers the side's.
        texts: What to tokenise; the encoder knows it again by this object.
        side: "query" or "document".
        keep: Where the file goes.
        about: What the texts are called, for those who look.
        advance: Called with the number of texts done since the last call.

    Returns:
        Whether that could be done. Where it could not (pictures, modules of one's own, tokenizers
        without a fast form, inputs with more to them than tokens) the encoder goes on preparing
        batch by batch.
    """
    if isinstance(encoder, TwoTowers):
        encoder = encoder.towers[side]
    if not isinstance(encoder, SentenceTransformerEncoder):
        return False
    tokenizer = _fast_tokenizer(encoder)
    sample = list(islice(chain.from_iterable(texts.pieces()), CHECKED))
    form = None if tokenizer is None else _form(encoder, sample, side)
    if tokenizer is None or form is None or not _same(encoder, tokenizer, sample, side, form):
        return False
    made = keep.get(
        KIND,
        _key(encoder, tokenizer, texts, side, form),
        lambda folder: _write(encoder, tokenizer, texts, side, folder, advance),
        lambda folder: Tokens.open(folder, form),
        f"{encoder.name} {about}",
    )
    if made is None or len(made) != texts.count:
        return False
    encoder.tokens[texts, side] = made
    return True


def _fast_tokenizer(encoder: SentenceTransformerEncoder) -> PreTrainedTokenizerFast | None:
    """The tokenizer, if texts go through it and nothing else."""
    first = encoder.model[0]
    if type(first) is not Transformer or list(first.modalities) != ["text"]:
        return None
    return first.processor if isinstance(first.processor, PreTrainedTokenizerFast) else None


def _form(encoder: SentenceTransformerEncoder, sample: list[str], side: Side) -> Form | None:
    """What the encoder makes of some texts; None where that is more than tokens."""
    features = encoder.preprocess(sample, side)
    tensors = {name: v for name, v in features.items() if isinstance(v, torch.Tensor)}
    ids, mask = tensors.get("input_ids"), tensors.get("attention_mask")
    if ids is None or mask is None or ids.ndim != 2 or len(ids) != len(sample):
        return None
    zero = all(
        value.shape == ids.shape and value.dtype == torch.int64 and not value.any()
        for name, value in tensors.items()
        if name not in ("input_ids", "attention_mask")
    )
    tokenizer = encoder.model.tokenizer
    if not zero or ids.dtype != torch.int64 or tokenizer.pad_token_id is None:
        return None
    rest = {name: value for name, value in features.items() if name not in tensors}
    left = tokenizer.padding_side == "left"
    return Form(int(tokenizer.pad_token_id), left, tuple(tensors), rest)


def _same(
    encoder: SentenceTransformerEncoder, tokenizer: Any, sample: list[str], side: Side, form: Form
) -> bool:
    """Whether the tokens of a sample give what the encoder prepares."""
    ids = _ids(encoder, tokenizer, sample, side)
    ends = np.cumsum([0, *map(len, ids)])
    ours = Tokens(np.fromiter(chain.from_iterable(ids), np.int64), ends, form)
    one, other = ours.prepared(np.arange(len(sample))), encoder.prepare(sample, side)
    rows = np.arange(len(sample))
    mine, theirs = one.take(rows), other.take(rows)
    return list(mine) == list(theirs) and all(
        torch.equal(value, theirs[name])
        if isinstance(value, torch.Tensor)
        else value == theirs[name]
        for name, value in mine.items()
    )


def _ids(
    encoder: SentenceTransformerEncoder, tokenizer: Any, texts: Sequence[str], side: Side
) -> list[list[int]]:
    """Tokens of each text, all cores at work."""
    with encoder.one_at_a_time:
        # The library sets truncation (and the like) for one text; the others are cut like it.
        encoder.model.preprocess(list(texts[:1]), prompt=encoder.prompt(side), task=side)
        backend = tokenizer.backend_tokenizer
        backend.no_padding()
        prompt = encoder.prompt(side) or ""
        found = backend.encode_batch_fast([prompt + text for text in texts])
    return [encoding.ids for encoding in found]


def _key(
    encoder: SentenceTransformerEncoder, tokenizer: Any, texts: Texts, side: Side, form: Form
) -> str:
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    del described["padding"]  # of the last call; truncation is that of this side
    libraries = [f"{name} {version(name)}" for name in LIBRARIES]
    parts = [texts.key, described, encoder.prompt(side), encoder.model.get_max_seq_length()]
    return json.dumps([*parts, form.tensors, libraries], sort_keys=True)


def _write(
    encoder: SentenceTransformerEncoder,
    tokenizer: Any,
    texts: Texts,
    side: Side,
    folder: Path,
    advance: Callable[[int], None],
) -> None:
    dtype = np.dtype("<u2" if len(tokenizer) <= 1 << 16 else "<u4")
    total, count = 0, 0
    with (folder / IDS).open("wb") as ids, (folder / ENDS).open("wb") as ends:
        ends.write(np.zeros(1, dtype="<i8").tobytes())
        for piece in texts.pieces():
            found = _ids(encoder, tokenizer, piece, side)
            lengths = np.fromiter(map(len, found), dtype="<i8", count=len(found))
            number = int(lengths.sum())
            ids.write(np.fromiter(chain.from_iterable(found), dtype, count=number).tobytes())
            ends.write((total + np.cumsum(lengths)).tobytes())
            total, count = total + number, count + len(found)
            advance(len(found))
    facts = {"dtype": dtype.str, "tokens": total, "texts": count}
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")
