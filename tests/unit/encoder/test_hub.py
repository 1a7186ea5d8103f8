"""One question to the hub, and what its answers mean; nothing here reaches the network."""

from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

from nearer.encoder import hub
from nearer.errors import ModelError


def answer(monkeypatch, error=None, cached=False):
    """Let the hub answer, or not."""
    asked = []

    def model_info(self, model, timeout):
        asked.append(model)
        if error is not None:
            raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(hub, "_is_cached", lambda model: cached)
    return asked


def http(cls):
    error = cls.__new__(cls)
    Exception.__init__(error, "404")
    error.response = SimpleNamespace(status_code=404)
    return error


def test_a_folder_asks_nobody(monkeypatch, tmp_path):
    asked = answer(monkeypatch, OSError("no network"))
    assert hub.cache_alone(str(tmp_path)) is True
    assert asked == []


def test_an_adapter_may_name_a_base_model_on_the_hub(monkeypatch, tmp_path):
    answer(monkeypatch, OSError("no network"))
    (tmp_path / "adapter_config.json").write_text("{}")
    assert hub.cache_alone(str(tmp_path)) is False


def test_a_model_that_is_there_is_loaded_as_usual(monkeypatch):
    asked = answer(monkeypatch)
    assert hub.cache_alone("owner/name") is False
    assert asked == ["owner/name"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OfflineModeIsEnabled("x"), r"cannot reach the hub .*\(HF_HUB_OFFLINE is set\)"),
        (ConnectionError("Name or service not known.\nmore"), r"\(Name or service not known\)"),
        (http(RepositoryNotFoundError), "the hub has no model .*hf auth login"),
    ],
)
def test_what_cannot_be_had_is_said_with_the_way_out(monkeypatch, error, says):
    answer(monkeypatch, error)
    with pytest.raises(ModelError, match=f"{says}.*local folder.*installed as a package"):
        hub.cache_alone("owner/name")
    answer(monkeypatch, error, cached=True)
    assert hub.cache_alone("owner/name") is True


def test_a_bad_moment_of_the_hub_is_the_librarys_business(monkeypatch):
    answer(monkeypatch, http(HfHubHTTPError))
    assert hub.cache_alone("owner/name") is False


def test_what_is_no_id_is_said():
    with pytest.raises(ModelError, match='"owner/na me" is no hub id'):
        hub.cache_alone("owner/na me")


def test_the_cache_is_looked_at_for_real(monkeypatch, tmp_path):
    assert hub._is_cached("owner/nobody-has-this") is False
