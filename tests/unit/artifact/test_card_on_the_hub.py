"""The card as others read it: the hub's own parser, and the code on it, run."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from sentence_transformers import SentenceTransformer

from nearer.artifact.card import model_card
from nearer.artifact.manifest import Manifest
from nearer.artifact.store import save_artifact
from nearer.encoder.loading import EncoderOptions, load_encoder

MANIFEST = Manifest(
    kind="sentence-transformers",
    name="minilm",
    base_model="sentence-transformers/all-MiniLM-L6-v2",
    dimension=384,
    metrics={"minilm_ndcg_at_k": 0.25, "minilm_ndcg@10": 0.5, "other_recall_at_k": 1.0,
             "val_loss": 0.1, "minilm_hit_at_k": None},
    spec={
        "train_data": "/home/me/secret plans/train.csv",
        "distance": "dot",
        "callbacks": [{"name": "EvaluationCallback", "query_data": "/home/me/queries.jsonl"}],
    },
)  # fmt: skip


def test_the_hub_reads_metrics_base_and_licence() -> None:
    card = ModelCard(model_card(MANIFEST), ignore_metadata_errors=False)
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "sentence-transformers"
    assert card.data.model_name == "minilm"
    read = {(r.metric_type, r.metric_value, r.dataset_name) for r in card.data.eval_results or ()}
    assert read == {
        ("ndcg_at_k", 0.25, "queries.jsonl"),
        ("ndcg@10", 0.5, "queries.jsonl"),
        ("other_recall_at_k", 1.0, "queries.jsonl"),
    }


def test_data_is_named_without_its_path() -> None:
    text = model_card(MANIFEST)
    assert "| train_data | train.csv |" in text
    assert "| query_data | queries.jsonl |" in text
    assert "/home" not in text
    given = model_card(replace(MANIFEST, spec={"train_data": {"object": "Dataset, 9 rows"}}))
    assert "| train_data | Dataset, 9 rows |" in given


def test_a_base_whose_licence_is_not_known_has_none() -> None:
    for base in ("somebody/else", "minilm-of-mine"):
        card = ModelCard(model_card(replace(MANIFEST, base_model=base)))
        assert card.data.license is None
        assert "Not known here" in card.text


def test_two_towers_have_two_bases() -> None:
    bases = ["openai/clip-vit-base-patch32", "BAAI/bge-base-en-v1.5"]
    card = ModelCard(
        model_card(replace(MANIFEST, kind="towers", base_model=" + ".join(bases), metrics={}))
    )
    assert card.data.base_model == bases
    assert card.data.license == "mit"
    assert card.data.eval_results is None


def test_an_index_is_compared_as_the_model_was_evaluated() -> None:
    text = model_card(MANIFEST)
    assert "embedding vector(384)" in text
    assert "vector_ip_ops" in text
    assert "vector_cosine_ops" in model_card(replace(MANIFEST, spec={}))


@pytest.mark.parametrize("prompt", [None, "query: "])
def test_the_code_for_transformers_gives_the_same_embeddings(
    tiny_bert: Path, tmp_path: Path, prompt: str | None
) -> None:
    folder = tmp_path / "a"
    encoder = load_encoder(tiny_bert, EncoderOptions(query_prompt=prompt))
    save_artifact(encoder, folder, MANIFEST)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert ('with "query: " before' in text) == (prompt is not None)
    code = re.search(r"### With transformers\n\n```python\n(.*?)```", text, re.S)
    assert code
    names: dict[str, torch.Tensor] = {}
    exec(code[1].replace("path/to/this/folder", str(folder)), names)
    model = SentenceTransformer(str(folder), device="cpu")
    expected = model.encode_document(["a text", "another"], convert_to_tensor=True)
    torch.testing.assert_close(names["embeddings"], expected)


def test_a_model_with_a_head_has_no_code_for_transformers(tiny_bert: Path, tmp_path: Path) -> None:
    encoder = load_encoder(tiny_bert, EncoderOptions(output_dim=8))
    save_artifact(encoder, tmp_path / "a", MANIFEST)
    assert "With transformers" not in (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
