"""What makes two embeddings comparable: everything that shapes them has to be in the name."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from support.tiny import Letters
from torch import nn

from nearer.artifact.manifest import Manifest
from nearer.artifact.store import load_artifact, save_artifact
from nearer.encoder.embedding import encode
from nearer.encoder.freezing import freeze_all
from nearer.encoder.loading import EncoderOptions, load_encoder
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.space import space_of, weights_digest
from nearer.encoder.towers import TwoTowers


def load(folder: Path, **options: object) -> SentenceTransformerEncoder:
    encoder = load_encoder(str(folder), EncoderOptions(**options))  # type: ignore[arg-type]
    assert isinstance(encoder, SentenceTransformerEncoder)
    return encoder


def test_the_same_model_loaded_twice_has_one_space(tiny_bert: Path) -> None:
    first, second = load(tiny_bert), load(tiny_bert)
    encode(second, ["some texts", "of different lengths"], "query")  # leaves no trace
    assert space_of(first, "query") == space_of(second, "query")
    assert space_of(first, "query").lasting
    assert not space_of(first, "query").frozen


def test_a_saved_model_keeps_its_space(tiny_bert: Path, tmp_path: Path) -> None:
    encoder = load(tiny_bert, max_length=16, query_prompt="q: ")
    with torch.no_grad():
        next(encoder.module.parameters()).add_(0.25)
    manifest = Manifest("sentence-transformers", encoder.name, "tiny", encoder.dimension)
    save_artifact(encoder, tmp_path / "artifact", manifest)
    loaded = load_artifact(tmp_path / "artifact")
    for side in ("query", "document"):
        assert space_of(loaded, side) == space_of(encoder, side)


def pooling(e: SentenceTransformerEncoder) -> None:
    e.model[1].pooling_mode = "cls"


def activation(e: SentenceTransformerEncoder) -> None:
    e.model[0].auto_model.config.hidden_act = "relu"


def weight(e: SentenceTransformerEncoder) -> None:
    with torch.no_grad():
        list(e.module.parameters())[-1].view(-1)[0] += 1e-3


def vocabulary(e: SentenceTransformerEncoder) -> None:
    e.model.tokenizer.add_tokens(["newword"])


def length(e: SentenceTransformerEncoder) -> None:
    e.model.max_seq_length = 7


def prompt(e: SentenceTransformerEncoder) -> None:
    e.model.prompts["document"] = "passage: "


def truncation(e: SentenceTransformerEncoder) -> None:
    e.model.truncate_dim = 4


def precision(e: SentenceTransformerEncoder) -> None:
    e.precision = "bf16"


def lower_case(e: SentenceTransformerEncoder) -> None:
    e.model[0].do_lower_case = not e.model[0].do_lower_case


@pytest.mark.parametrize(
    "change",
    [
        pooling,
        activation,
        weight,
        vocabulary,
        length,
        prompt,
        truncation,
        precision,
        lower_case,
    ],
)
def test_whatever_shapes_an_embedding_is_in_the_name(
    tiny_bert: Path, change: Callable[[SentenceTransformerEncoder], None]
) -> None:
    encoder = load(tiny_bert)
    before = space_of(encoder, "document")
    change(encoder)
    assert space_of(encoder, "document") != before


def test_dropout_and_mode_are_not(tiny_bert: Path) -> None:
    encoder = load(tiny_bert)
    before = space_of(encoder, "document")
    encoder.module.train()
    encoder.model[0].auto_model.config.hidden_dropout_prob = 0.5
    assert space_of(encoder, "document") == before


def test_code_of_a_user_does_not_last(tiny_bert: Path) -> None:
    class Doubled(nn.Module):
        def forward(self, features: dict) -> dict:
            features["sentence_embedding"] = features["sentence_embedding"] * 2
            return features

    own = ModuleEncoder(Letters())
    assert not space_of(own, "query").lasting
    assert space_of(own, "query") == space_of(own, "query")
    model = SentenceTransformer(modules=[*load(tiny_bert).model, Doubled()])
    assert not space_of(SentenceTransformerEncoder(model, "doubled"), "query").lasting


def test_a_tower_is_named_by_itself_and_may_be_frozen(tiny_bert: Path) -> None:
    query, index = load(tiny_bert), load(tiny_bert)
    towers = TwoTowers(query, index)
    freeze_all(index.module)
    before = {side: space_of(towers, side) for side in ("query", "document")}
    assert before["document"].frozen
    assert not before["query"].frozen
    weight(query)
    assert space_of(towers, "query") != before["query"]
    assert space_of(towers, "document") == before["document"]


def test_weights_are_hashed_by_name_type_shape_and_value() -> None:
    def digest(**tensors: torch.Tensor) -> str:
        module = nn.Module()
        for name, tensor in tensors.items():
            module.register_buffer(name, tensor)
        return weights_digest(module)

    plain = torch.arange(6.0)
    digests = {
        digest(a=plain),
        digest(b=plain),
        digest(a=plain.double()),
        digest(a=plain.reshape(2, 3)),
        digest(a=plain + 1),
        digest(a=plain.bfloat16()),
        digest(a=torch.tensor(1.0)),
        digest(a=torch.zeros(0)),
        digest(a=torch.tensor([True])),
    }
    assert len(digests) == 9
    assert digest(a=plain.reshape(2, 3).T.contiguous().T) == digest(a=plain.reshape(2, 3))
