import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.tiny import Letters

from nearer.artifact.card import model_card
from nearer.artifact.manifest import (
    FILENAME,
    FORMAT,
    Kind,
    Manifest,
    hash_files,
    read_manifest,
    verify,
)
from nearer.artifact.store import kind_of, load_artifact, save_artifact
from nearer.encoder.loading import EncoderOptions, load_encoder, load_towers
from nearer.encoder.module import ModuleEncoder
from nearer.errors import ArtifactError

MANIFEST = Manifest(
    kind="sentence-transformers",
    name="minilm",
    base_model="sentence-transformers/all-MiniLM-L6-v2",
    dimension=384,
    precision="bf16",
    epoch=3,
    metrics={"minilm_ndcg_at_k": 0.123456789, "val_loss": None},
    spec={"model": "minilm", "cutoffs": [1, 10]},
    versions={"torch": "2"},
    files={"README.md": "0" * 64},
)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    whole = replace(MANIFEST, metrics={"é_ndcg": 0.1 + 0.2})
    (tmp_path / FILENAME).write_text(whole.to_json(), encoding="utf-8")
    assert read_manifest(tmp_path) == whole
    assert json.loads(whole.to_json())["format"] == FORMAT


def test_every_file_but_the_manifest_is_hashed_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FILENAME).write_text("not the manifest")
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / FILENAME).write_text("{}")
    hashes = hash_files(tmp_path)
    assert list(hashes) == ["a", f"b/{FILENAME}"]
    assert hashes["a"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    verify(tmp_path, replace(MANIFEST, files=hashes))
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(ArtifactError, match=r"a is damaged"):
        verify(tmp_path, replace(MANIFEST, files=hashes))


def test_the_card_says_what_it_is_and_what_it_scored() -> None:
    card = model_card(MANIFEST)
    head, _, body = card.removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(head).keys() == {
        *("base_model", "library_name", "license", "pipeline_tag", "tags", "model-index")
    }
    assert body.startswith("\n# minilm, fine-tuned\n")
    assert "| minilm\\_ndcg\\_at\\_k | 0.12346 |\n" in body
    assert "val_loss" not in card
    assert "embeddings of 384 dimensions, computed in bf16." in body
    assert "Definitions: trec." in body


@pytest.mark.parametrize("base", ["/home/me/model", "./model", "~/model", "minilm"])
def test_a_model_that_is_not_on_the_hub_is_not_linked(base: str) -> None:
    assert "base_model:" not in model_card(replace(MANIFEST, base_model=base))


def test_names_cannot_become_markup() -> None:
    sly = "x](http://bad)<script>`|*\n# Heading"
    manifest = replace(MANIFEST, name=sly, base_model=sly, metrics={sly: 1.0})
    body = model_card(manifest).partition("\n## Use")[0].partition("---\n\n")[2]
    assert "<script>" not in body.replace("\\<script\\>", "")
    assert "](" not in body.replace("\\]\\(", "")
    assert "\n# Heading" not in body
    scored = model_card(manifest).partition("## What it scored")[2]
    assert "\n# Heading" not in scored
    rows = [line for line in scored.splitlines() if line.startswith("| x")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 3


def test_a_base_model_cannot_break_out_of_the_metadata() -> None:
    card = model_card(replace(MANIFEST, base_model='a/b"\nlicense: mit\n---'))
    head = card.removeprefix("---\n").partition("\n---\n")[0]
    assert "license: mit" not in head.splitlines()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("sentence-transformers", 'SentenceTransformer("path/to/this/folder")'),
        ("towers", 'SentenceTransformer("path/to/this/folder/query")'),
        ("module", 'nearer.load("path/to/this/folder", module=YourModule())'),
    ],
)
def test_the_card_says_how_to_use_it(kind: Kind, says: str) -> None:
    assert says in model_card(replace(MANIFEST, kind=kind))


def test_an_artifact_that_was_not_evaluated_says_so() -> None:
    assert "It was not evaluated." in model_card(replace(MANIFEST, metrics={}))


def test_kinds(tiny_bert: Path) -> None:
    assert kind_of(load_encoder(tiny_bert)) == "sentence-transformers"
    assert kind_of(load_towers(tiny_bert, tiny_bert, EncoderOptions())) == "towers"
    assert kind_of(ModuleEncoder(Letters())) == "module"


def test_an_artifact_holds_its_encoder_its_card_and_its_manifest(
    tiny_bert: Path, tmp_path: Path
) -> None:
    encoder = load_encoder(tiny_bert)
    manifest = replace(MANIFEST, name="tiny", dimension=32)
    written = save_artifact(encoder, tmp_path / "a", manifest)
    assert read_manifest(tmp_path / "a") == replace(
        written, metrics=read_manifest(tmp_path / "a").metrics
    )
    on_disk = {
        p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*") if p.is_file()
    }
    assert on_disk == {*written.files, FILENAME}
    assert {"README.md", "model.safetensors", "modules.json"} <= on_disk
    assert not [name for name in on_disk if name.endswith((".bin", ".pt", ".pkl"))]
    loaded = load_artifact(tmp_path / "a")
    assert (loaded.name, loaded.precision, loaded.dimension) == ("tiny", "bf16", 32)


def test_towers_lie_in_query_and_index_and_keep_their_names(
    tiny_bert: Path, tmp_path: Path
) -> None:
    towers = load_towers(tiny_bert, tiny_bert, EncoderOptions())
    manifest = Manifest("towers", towers.name, "a + b", 32)
    written = save_artifact(towers, tmp_path / "a", manifest)
    assert {"query/modules.json", "index/modules.json"} <= set(written.files)
    loaded = load_artifact(tmp_path / "a")
    assert loaded.name == "tiny-bert-to-tiny-bert"


def test_a_module_needs_an_instance_of_itself(tmp_path: Path) -> None:
    manifest = Manifest("module", "letters", "letters", 8, module_class="support.tiny.Letters")
    save_artifact(ModuleEncoder(Letters(), dimension=8), tmp_path / "a", manifest)
    with pytest.raises(ArtifactError) as caught:
        load_artifact(tmp_path / "a")
    assert str(caught.value) == (
        f"{tmp_path / 'a'} holds the weights of a support.tiny.Letters; give module=…, an instance "
        "of it"
    )


@pytest.mark.parametrize(
    "sly", ["a\r# b", "a\u2028# b", "a\x0b# b", "a\x85# b", "~~a~~", "\x1b[31m", "&lt;", "![a](b)"]
)
def test_no_break_of_a_line_and_no_mark_gets_into_the_card(sly: str) -> None:
    manifest = replace(MANIFEST, name=sly, base_model=sly, metrics={sly: 1.0}, definitions=sly)
    card = model_card(manifest)
    assert not [line for line in card.splitlines() if line.startswith("# b")]
    assert "\x1b" not in card
    body = card.partition("\n---\n")[2]  # what is before it is YAML, which means nothing by marks
    assert "~~a" not in body
    assert "![a]" not in body
    assert "&lt;" not in body.replace("\\&lt;", "")


@given(st.text(), st.text())
def test_the_metadata_of_a_card_stay_yaml(name: str, base: str) -> None:
    card = model_card(replace(MANIFEST, name=name, base_model=f"{base}/{name}"))
    head = card.removeprefix("---\n").partition("\n---\n")[0]
    values = yaml.safe_load(head)
    assert values["tags"] == ["sentence-transformers", "nearer"]
    assert values.get("base_model", f"{base}/{name}") == f"{base}/{name}"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"name": ""}, "name"),
        ({"name": 3}, "name"),
        ({"dimension": "384"}, "dimension"),
        ({"dimension": -1}, "dimension"),
        ({"metrics": {"a": "b"}}, "metrics"),
        ({"metrics": []}, "metrics"),
        ({"spec": None}, "spec"),
        ({"versions": {"a": 1}}, "versions"),
        ({"epoch": 1.5}, "epoch"),
        ({"module_class": []}, "module_class"),
    ],
)
def test_a_value_of_another_kind_is_named(
    change: dict[str, Any], name: str, tmp_path: Path
) -> None:
    values = json.loads(MANIFEST.to_json()) | change
    (tmp_path / "nearer.json").write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=f'has no proper value for "{name}"'):
        read_manifest(tmp_path)


def test_a_link_inside_of_an_artifact_is_fine_and_one_outside_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    manifest = Manifest("module", "letters", "letters", 8)
    save_artifact(ModuleEncoder(Letters(), dimension=8), folder, manifest)
    weights = folder / "model.safetensors"
    weights.rename(folder / "blob")
    weights.symlink_to(folder / "blob")
    verify(folder, read_manifest(folder))
    (folder / "blob").rename(tmp_path / "blob")
    weights.unlink()
    weights.symlink_to(tmp_path / "blob")
    with pytest.raises(ArtifactError, match="is a link that leads outside"):
        verify(folder, read_manifest(folder))
