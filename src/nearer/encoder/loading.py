"""From a name, a folder or an object to an Encoder, ready to train; runs no model folder's code."""

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from nearer.encoder.catalog import locate, short_name
from nearer.encoder.freezing import freeze_all, freeze_layers
from nearer.encoder.heads import HeadName, with_head
from nearer.encoder.hub import cache_alone
from nearer.encoder.lora import LoraOptions, add_lora, describe
from nearer.encoder.module import ModuleEncoder, Prepare
from nearer.encoder.packaged import build_packaged, check_framing, check_pooling, is_packaged
from nearer.encoder.padding import pad_fully
from nearer.encoder.pooling import PoolingName, set_pooling
from nearer.encoder.preprocessing import Framing
from nearer.encoder.protocol import Encoder, Precision
from nearer.encoder.quiet import quiet
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import TwoTowers
from nearer.encoder.trust import check_classes, check_folder, not_loaded
from nearer.encoder.vision import PictureEncoder
from nearer.errors import SpecError

LOGGER = logging.getLogger("nearer")
SIDES = ("query", "index")


@dataclass(frozen=True)
class EncoderOptions:
    """How an encoder is set up before it is trained.

    Attributes:
        max_length: Most tokens of a text; None: the model's own.
        query_prompt: Put before queries; None: the model's own.
        document_prompt: Put before documents; None: the model's own.
        precision: What to compute in.
        output_dim: Length of a newly added projection; None adds none.
        head: What the projection is: "linear" or "mlp".
        pooling: "mean", "max", "cls" or "gem"; None: the model's own.
        framing: "crop" or "pad", for a picture model of the catalog; None: the model's own.
        freeze: None, "backbone", "query", "index" or a number of layers.
        lora: Adapters to add, which then learn in place of all that came.
        prepare: For an `nn.Module` without a method `prepare`.
        sample: An item to find out with how long a module's embeddings are.
    """

    max_length: int | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    precision: Precision = "fp32"
    output_dim: int | None = None
    head: HeadName = "linear"
    pooling: PoolingName | None = None
    framing: Framing | None = None
    freeze: str | int | None = None
    lora: LoraOptions | None = None
    prepare: Prepare | None = None
    sample: Any = None


def load_encoder(
    model: Any, options: EncoderOptions | None = None, name: str | None = None
) -> Encoder:
    """Load one encoder.

    Args:
        model: Catalog name, hub id, local folder, `SentenceTransformer` or `nn.Module`.
        options: Prompts, length, head, freezing.
        name: Short name; default: see `short_name`.

    Raises:
        UnknownName: No such model.
        ModelError: It cannot be loaded; says why.
        SpecError: It cannot be frozen, or given a head, as asked.
    """
    options = options or EncoderOptions()
    encoder: SentenceTransformerEncoder | ModuleEncoder
    if isinstance(model, SentenceTransformer):
        encoder = SentenceTransformerEncoder(model, name or "model", options.precision)
    elif isinstance(model, nn.Module):
        encoder = ModuleEncoder(model, options.prepare, name, precision=options.precision)
    elif is_packaged(str(model)):
        framing = options.framing or "crop"
        encoder = build_packaged(str(model), name, options.pooling or "mean", framing)
    else:
        encoder = _load(str(model), options, name)
    return set_up(encoder, options)


def set_up(encoder: Encoder, options: EncoderOptions) -> Encoder:
    """Give a loaded encoder its prompts, length, precision, frozen parts and head."""
    if isinstance(encoder, TwoTowers):
        query, index = encoder.towers.values()
        framed = [isinstance(one, PictureEncoder) for one in (query, index)]
        own = [_for_tower(options, side, framed, i) for i, side in enumerate(SIDES)]
        return TwoTowers(set_up(query, own[0]), set_up(index, own[1]))
    encoder.precision = options.precision
    if isinstance(encoder, SentenceTransformerEncoder):
        _set_texts(encoder.model, options)
        if options.pooling is not None:
            set_pooling(encoder.model, options.pooling)
    elif options.pooling is not None:
        check_pooling(encoder, options.pooling)
    if options.framing is not None:
        check_framing(encoder, options.framing)
    if isinstance(encoder, SentenceTransformerEncoder | ModuleEncoder):
        return _frozen(encoder, options)
    return encoder


def load_towers(
    query: Any, index: Any, options: EncoderOptions, index_sample: Any = None
) -> TwoTowers:
    """Load two encoders with heads into one space of `options.output_dim`.

    `options.sample` is an item of the query side, `index_sample` one of the index side.
    """
    towers = []
    samples = (options.sample, index_sample)
    framed = [isinstance(model, str) and is_packaged(model) for model in (query, index)]
    for i, (model, side) in enumerate(zip((query, index), SIDES, strict=True)):
        own = replace(_for_tower(options, side, framed, i), sample=samples[i])
        towers.append(load_encoder(model, own))
    return TwoTowers(*towers)


def load_sentence_transformer(folder_or_id: str) -> SentenceTransformer:
    """Load a SentenceTransformer quietly: safetensors only, no remote code.

    Raises:
        ModelError: It cannot be loaded; says why and what to do.
    """
    with quiet():
        local = cache_alone(folder_or_id)
        if Path(folder_or_id).is_dir():
            check_folder(Path(folder_or_id), folder_or_id)
        else:
            check_classes(partial(_of_hub, folder_or_id, local), folder_or_id)
        try:
            return SentenceTransformer(
                folder_or_id,
                device="cpu",
                local_files_only=local,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:
            raise not_loaded(folder_or_id, error) from error


def _of_hub(model: str, local: bool, name: str) -> Path | None:
    from sentence_transformers.util import load_file_path

    try:
        found = load_file_path(model, name, local_files_only=local)
    except Exception:  # it cannot be had; loading the model says why
        return None
    return None if found is None else Path(found)


def _load(model: str, options: EncoderOptions, name: str | None) -> SentenceTransformerEncoder:
    source, entry = locate(model)
    loaded = load_sentence_transformer(source)
    if entry is not None:
        if entry.query_prompt is not None:
            loaded.prompts.setdefault("query", entry.query_prompt)
        if entry.document_prompt is not None:
            loaded.prompts.setdefault("document", entry.document_prompt)
    return SentenceTransformerEncoder(loaded, name or short_name(model), options.precision)


def _set_texts(model: SentenceTransformer, options: EncoderOptions) -> None:
    without_attention_dropout(model)
    pad_fully(model)
    if options.query_prompt is not None:
        model.prompts["query"] = options.query_prompt
    if options.document_prompt is not None:
        model.prompts["document"] = options.document_prompt
    if options.max_length is not None:
        most = model.get_max_seq_length()
        if most is not None and options.max_length > most:
            raise SpecError([f"max_length: {options.max_length}; the model takes at most {most}"])
        model.max_seq_length = options.max_length


def without_attention_dropout(module: nn.Module) -> None:
    """Turn dropout inside of attention off; dropout elsewhere stays, and so does the saved config.

    With it the processor's fast attention cannot be used. After an epoch of medquad nDCG@20 lies
    within .005 of a trainer's that leaves it in (docs/benchmarks.md).
    """
    for part in module.modules():
        if "Attention" not in type(part).__name__:
            continue
        for name in ("dropout", "attention_dropout", "attn_dropout"):
            value = getattr(part, name, None)
            if isinstance(value, nn.Dropout):
                value.p = 0.0
            elif isinstance(value, float):
                setattr(part, name, 0.0)


def _frozen(
    encoder: SentenceTransformerEncoder | ModuleEncoder, options: EncoderOptions
) -> SentenceTransformerEncoder | ModuleEncoder:
    if options.freeze == "backbone":
        freeze_all(encoder.module)
    elif isinstance(options.freeze, int):
        freeze_layers(encoder.module, options.freeze)
    if options.lora is not None:
        _adapt(encoder, options.lora)
    learns_length = isinstance(encoder, ModuleEncoder) and not encoder.knows_dimension
    if learns_length and options.sample is not None:
        with torch.no_grad():
            prepared = encoder.prepare([options.sample], "document")
            encoder.embed(prepared.take(np.array([0])), "document")
    if options.output_dim is None:
        return encoder
    return with_head(encoder, options.output_dim, options.head)


def _adapt(encoder: SentenceTransformerEncoder | ModuleEncoder, lora: LoraOptions) -> None:
    if not isinstance(encoder, SentenceTransformerEncoder):
        raise SpecError([f"lora: {encoder.name} is a module of your own; only models are adapted"])
    add_lora(encoder.model, lora)
    encoder.keep_adapter = not lora.merge
    LOGGER.info("%s", describe(lora, encoder.module))


def _for_tower(options: EncoderOptions, side: str, framed: list[bool], i: int) -> EncoderOptions:
    if any(framed) and not framed[i]:  # the other tower is meant
        options = replace(options, framing=None)
    if options.freeze in ("query", "index"):
        frozen = options.freeze == side
        return replace(
            options,
            freeze="backbone" if frozen else None,
            lora=None if frozen else options.lora,
        )
    return options
