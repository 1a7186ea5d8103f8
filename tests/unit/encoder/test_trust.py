"""Model folders that would run code, unpickle, or reach outside are refused before they load."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from support import makers

from nearer.encoder import loading
from nearer.encoder.loading import load_encoder
from nearer.encoder.trust import check_classes, check_folder
from nearer.errors import ModelError

TRAPS = [
    "model_with_os_system",
    "model_with_code",
    "model_by_way_of_an_import",
    "model_with_a_part_outside",
    "model_with_a_pickled_part",
    "model_with_a_router",
    "model_of_auto_map",
    "model_pickled",
]


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_refused_and_nothing_of_it_runs(
    trap: str, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    getattr(makers, trap)(tmp_path, tiny_bert)
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("it ran"))
    monkeypatch.setattr("torch.load", lambda *a, **k: pytest.fail("it was unpickled"))
    with pytest.raises(ModelError, match=r'cannot load the model ".*broken": '):
        load_encoder(tmp_path / "broken")


@pytest.mark.parametrize("path", ["..", "a/../../b", "/etc", "..\\b", "C:/b", "a\0b"])
def test_a_part_that_lies_outside(path: str, tmp_path: Path) -> None:
    kind = "sentence_transformers.base.modules.normalize.Normalize"
    (tmp_path / "modules.json").write_text(json.dumps([{"path": path, "type": kind}]))
    with pytest.raises(ModelError, match="outside of the model"):
        check_folder(tmp_path, "m")


@pytest.mark.parametrize(
    "kind",
    [
        "sentence_transformers.models.Transformer",  # as older models have it
        "sentence_transformers.base.modules.normalize.Normalize",
        "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    ],
)
def test_modules_of_the_library_are_taken(kind: str, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "", "type": kind}]))
    check_folder(tmp_path, "m")


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "os.system",
        "sentence_transformers",
        "sentence_transformers.util.misc.importlib",
        "sentence_transformers.base.model.torch",
        "sentence_transformers.util.misc.import_from_string",
        "sentence_transformers.nothing.Of.The.Kind",
        "sentence_transformers..x",
    ],
)
def test_whatever_else_is_named_is_not(kind: str, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "", "type": kind}]))
    with pytest.raises(ModelError, match="is no module of sentence-transformers"):
        check_folder(tmp_path, "m")


@pytest.mark.parametrize("said", [3, {}, [3], [{"type": "a"}], [{"type": 1, "path": ""}]])
def test_a_list_of_modules_that_is_none(said: Any, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps(said))
    with pytest.raises(ModelError, match=r"modules.json is no list of parts"):
        check_folder(tmp_path, "m")


def test_weights_of_a_training_that_lie_beside_do_not_matter(
    tiny_bert: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiny_bert, tmp_path / "m"))
    for name in ("optimizer.pt", "training_args.bin", "rng_state.pth", "pytorch_model.bin"):
        (copy / name).write_bytes(b"a pickle")
    assert load_encoder(copy).dimension == 32


def test_a_model_of_the_hub_is_looked_at_as_well(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers.model_with_os_system(tmp_path, tiny_bert)
    monkeypatch.setattr(loading, "cache_alone", lambda model: False)
    files = {path.name: path for path in (tmp_path / "broken").iterdir()}
    monkeypatch.setattr(loading, "_of_hub", lambda model, local, name: files.get(name))
    monkeypatch.setattr(loading, "SentenceTransformer", lambda *a, **k: pytest.fail("loaded"))
    with pytest.raises(ModelError, match=r'cannot load the model "owner/name": .*"os.system"'):
        loading.load_sentence_transformer("owner/name")


def test_a_pickled_part_of_a_model_of_the_hub(tiny_bert: Path, tmp_path: Path) -> None:
    makers.model_with_a_pickled_part(tmp_path, tiny_bert)

    def locate(name: str) -> Path | None:
        path = tmp_path / "broken" / name
        return path if path.is_file() else None

    with pytest.raises(ModelError, match=r"3_Mine/pytorch_model\.bin"):
        check_classes(locate, "owner/name")


def test_a_local_folder_asks_no_hub(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("the hub was asked")

    monkeypatch.setattr("sentence_transformers.base.model_card.get_model_info", refuse)
    monkeypatch.chdir(tiny_bert.parent)
    assert isinstance(loading.load_sentence_transformer(tiny_bert.name), SentenceTransformer)
