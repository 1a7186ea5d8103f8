import sys
from pathlib import Path

import pytest

from nearer.encoder.catalog import (
    CATALOG,
    CatalogEntry,
    catalog_names,
    find_entry,
    locate,
    packaged_weights,
    short_name,
)
from nearer.errors import ModelError, UnknownName


def test_names_and_ids_are_unique() -> None:
    assert len(set(catalog_names())) == len({entry.id for entry in CATALOG}) == len(CATALOG)
    of_hub = [entry for entry in CATALOG if entry.architecture is None]
    assert all(entry.id.count("/") == 1 for entry in of_hub)


def test_an_entry_is_found_by_name_and_by_id() -> None:
    entry = find_entry("e5-base")
    assert entry is find_entry("intfloat/e5-base-v2")
    assert entry is not None
    assert (entry.query_prompt, entry.document_prompt) == ("query: ", "passage: ")
    assert find_entry("my/model") is None


def test_locate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "models" / "mine"
    model.mkdir(parents=True)
    (model / "modules.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("resnet50") == ("microsoft/resnet-50", find_entry("resnet50"))
    assert locate("me/model") == ("me/model", None)
    assert locate("models/mine") == ("models/mine", None)
    assert locate(str(model)) == (str(model), None)
    assert locate("~/models/mine") == (str(model), None)


@pytest.mark.parametrize(
    "model", ["resnet5", "./models/other", "/nowhere", "~/nowhere", "models/other", "a/b/c", ""]
)
def test_what_is_neither_name_folder_nor_id(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path / "models" if model == "" else tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    error = ModelError if model == "" else UnknownName
    with pytest.raises(error) as caught:
        locate(model)
    if model == "resnet5":
        assert str(caught.value).endswith('Did you mean "resnet50"?')


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no model: there is no modules\.json or "):
        locate(str(tmp_path))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("minilm", "minilm"),
        ("sentence-transformers/all-MiniLM-L6-v2", "minilm"),
        ("me/model_v1.5", "model_v1.5"),
        ("/models/my model@2/", "my-model-2"),
        (".", "model"),
    ],
)
def test_short_name(model: str, name: str) -> None:
    assert short_name(model) == name


def test_weights_in_a_package_are_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "weights_of_mine"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = CatalogEntry("mine", "text-to-text", "a/b", 1, 1.0, "MIT", "", package=package.name)
    assert packaged_weights(entry) == package / "model"
    assert package.name not in sys.modules
    gone = CatalogEntry("mine", "text-to-text", "a/b", 1, 1.0, "MIT", "", package="not_installed_")
    assert packaged_weights(gone) is None
    assert packaged_weights(CATALOG[1]) is None
