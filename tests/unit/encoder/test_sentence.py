import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from support.tiny import save_tiny_bert

from nearer.encoder.embedding import encode
from nearer.encoder.loading import EncoderOptions, load_encoder, load_towers, set_up
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.errors import ModelError, SpecError

TEXTS = ["cheap red shoes", "rain", "the best warm coat for winter and for snow " * 3, "a", ""]


@pytest.fixture
def model(tiny_bert: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_bert), device="cpu").eval()


def test_prepared_features_are_those_of_the_model_itself(model: SentenceTransformer) -> None:
    encoder = SentenceTransformerEncoder(model, "tiny")
    prepared = encoder.prepare(TEXTS, "document")
    assert len(prepared) == len(TEXTS)
    for rows in ([0], [3], [0, 1, 3], [2, 4], [4, 3, 2, 1, 0]):
        taken = prepared.take(np.array(rows))
        own = model.preprocess([TEXTS[row] for row in rows])
        for name, value in own.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(taken[name], value), (rows, name)
    lengths = [len(model.tokenizer(text, truncation=True)["input_ids"]) for text in TEXTS]
    assert prepared.lengths.tolist() == lengths


def test_a_batch_is_embedded_exactly_as_the_model_would(model: SentenceTransformer) -> None:
    encoder = SentenceTransformerEncoder(model, "tiny")
    for rows in ([0, 1], [2], [1, 0, 3]):
        chosen = [TEXTS[row] for row in rows]
        with torch.no_grad():
            ours = encoder.embed(encoder.prepare(TEXTS, "query").take(np.array(rows)), "query")
        theirs = model.encode(chosen, convert_to_tensor=True, batch_size=8)
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    alone = np.stack([model.encode(text) for text in TEXTS])
    ours = np.stack([encode(encoder, [text], "query")[0] for text in TEXTS])
    np.testing.assert_array_equal(ours, alone)


def test_left_padding(model: SentenceTransformer) -> None:
    right = encode(SentenceTransformerEncoder(model, "tiny"), TEXTS, "query")
    model.tokenizer.padding_side = "left"
    encoder = SentenceTransformerEncoder(model, "tiny")
    taken = encoder.prepare(TEXTS, "query").take(np.array([0, 1]))
    assert taken["attention_mask"][1, 0] == 0
    assert taken["attention_mask"][:, -1].tolist() == [1, 1]
    own = model.preprocess([TEXTS[0], TEXTS[1]])
    assert torch.equal(taken["input_ids"], own["input_ids"])
    left = encode(encoder, TEXTS, "query")
    assert left.shape == right.shape


@pytest.mark.parametrize(
    ("prompts", "default", "query", "document"),
    [
        ({}, None, None, None),
        ({"query": "q: ", "document": "d: "}, None, "q: ", "d: "),
        ({"query": "q: ", "passage": "p: "}, None, "q: ", "p: "),
        ({"passage": "p: ", "corpus": "c: "}, None, None, "p: "),
        ({"document": "d: ", "passage": "p: "}, None, None, "d: "),
        ({"other": "o: "}, "other", "o: ", "o: "),
        ({"other": "o: ", "query": ""}, "other", "", "o: "),
    ],
)
def test_the_prompt_of_a_side(
    prompts: dict[str, str],
    default: str | None,
    query: str | None,
    document: str | None,
    model: SentenceTransformer,
) -> None:
    model.prompts = dict(prompts)
    model.default_prompt_name = default
    encoder = SentenceTransformerEncoder(model, "tiny")
    texts = ["red hat", "a coat"]
    for side, prompt, own in (
        ("query", query, model.encode_query),
        ("document", document, model.encode_document),
    ):
        expected = model.encode(texts, prompt=prompt or "")
        vectors = encode(encoder, texts, side)  # type: ignore[arg-type]
        np.testing.assert_allclose(vectors, expected, atol=1e-6)
        np.testing.assert_allclose(vectors, own(texts), atol=1e-6)
        assert encoder.fingerprint(side).startswith(repr(prompt))  # type: ignore[arg-type]


def test_prompts_and_length_are_set_and_saved(tiny_bert: Path, tmp_path: Path) -> None:
    options = EncoderOptions(query_prompt="find: ", document_prompt="", max_length=8)
    encoder = load_encoder(tiny_bert, options)
    encoder.save(tmp_path / "saved")
    model = SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    assert (model.prompts["query"], model.prompts["document"]) == ("find: ", "")
    assert model.get_max_seq_length() == 8
    assert encoder.prepare(["hat " * 30], "query").lengths.tolist() == [8]


def test_a_length_that_the_model_does_not_take(tiny_bert: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_encoder(tiny_bert, EncoderOptions(max_length=33))
    assert str(caught.value) == "max_length: 33; the model takes at most 32"
    load_encoder(tiny_bert, EncoderOptions(max_length=32))


def test_truncated_embeddings(model: SentenceTransformer) -> None:
    model.truncate_dim = 5
    encoder = SentenceTransformerEncoder(model, "tiny")
    assert encoder.dimension == 5
    vectors = encode(encoder, ["red hat"], "query")
    np.testing.assert_allclose(vectors, model.encode(["red hat"]), atol=1e-6)


def test_pictures_are_given_as_paths_and_texts_stay_texts(tmp_path: Path) -> None:
    from nearer.encoder.sentence import _decoded

    path = tmp_path / "a.png"
    Image.new("L", (3, 2), 7).save(path)
    picture = _decoded(path)
    assert (picture.mode, picture.size) == ("RGB", (3, 2))
    assert _decoded(str(path)) == str(path)


def test_a_model_that_cannot_be_loaded_is_named(tiny_bert: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_bert, broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=f'cannot load the model "{broken}": '):
        load_encoder(broken)


def test_weights_that_must_be_unpickled_are_refused(tiny_bert: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(tiny_bert, pickled)
    model = SentenceTransformer(str(tiny_bert), device="cpu")
    torch.save(model[0].auto_model.state_dict(), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot load the model"):
        load_encoder(pickled)


def test_code_in_a_model_folder_is_not_run(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sly"
    shutil.copytree(tiny_bert, folder)
    (folder / "sly.py").write_text("open('ran', 'w')\nclass Sly: pass\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules[-1]["type"] = "sly.Sly"
    (folder / "modules.json").write_text(json.dumps(modules))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        load_encoder(folder)
    assert not list(tmp_path.rglob("ran"))


def test_towers_of_different_lengths(tiny_bert: Path) -> None:
    from support.tiny import Letters

    narrow = load_encoder(Letters())
    narrow._dimension = 8  # type: ignore[attr-defined]
    from nearer.encoder.towers import TwoTowers

    with pytest.raises(ModelError) as caught:
        TwoTowers(load_encoder(tiny_bert), narrow)
    assert str(caught.value) == (
        "tiny-bert embeds in 32 dimensions and letters in 8; give output_dim for one space"
    )


def test_one_tower_is_frozen(tiny_bert: Path, tmp_path: Path) -> None:
    other = save_tiny_bert(tmp_path, seed=1)
    towers = load_towers(tiny_bert, other, EncoderOptions(freeze="query", output_dim=8))
    query, index = (towers.towers[side].module for side in ("query", "document"))
    assert [n for n, p in query.named_parameters() if p.requires_grad] == [
        "2.linear.weight",
        "2.linear.bias",
    ]
    assert all(p.requires_grad for p in index.parameters())


def test_setting_up_a_loaded_encoder(tiny_bert: Path) -> None:
    encoder = set_up(load_encoder(tiny_bert), EncoderOptions(precision="bf16", freeze=1))
    assert encoder.precision == "bf16"
    assert sum(not p.requires_grad for p in encoder.module.parameters()) > 0
