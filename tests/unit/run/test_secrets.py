"""Passwords and tokens reach neither run.json nor the log nor an artifact."""

import json
import logging
from pathlib import Path

import pytest

from nearer.run.secrets import Masking, is_secret, masked, without_secrets

TOKEN = "hf_" + "a1B2" * 8


@pytest.mark.parametrize(
    "name",
    "token HF_TOKEN api_key apikey AWS_SECRET_ACCESS_KEY password db.password X-Amz-Signature sig "
    "auth wandb_api_key AWS_ACCESS_KEY_ID client_secret".split(),
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["max_tokens", "monkey", "author", "keep", "query", "tokenizer", "keyboard", "signal"]
)
def test_names_of_others(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("https://me:word@host/a", "https://***@host/a"),
        ("s3://key:word@bucket/a b", "s3://***@bucket/a b"),
        ("https://host/a?token=abc&page=2#x", "https://host/a?token=***&page=2#x"),
        ("https://h/a?X-Amz-Signature=00ff", "https://h/a?X-Amz-Signature=***"),
        (f"use {TOKEN}.", "use ***."),
        ("AKIA" + "Q" * 16, "***"),
        ("Authorization: Bearer abcdefgh123", "Authorization: Bearer ***"),
        ("me@example.org, https://host/@me?q=1", "me@example.org, https://host/@me?q=1"),
        ("runs/a=b/train.csv", "runs/a=b/train.csv"),
    ],
)
def test_masked(text: str, seen: str) -> None:
    assert masked(text) == seen
    assert masked(seen) == seen


def test_what_the_environment_holds_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "correct horse battery")
    monkeypatch.setenv("MY_KEY", "/home/me/key.pem")
    monkeypatch.setenv("PIN_TOKEN", "1234")
    assert masked("it is: correct horse battery!") == "it is: ***!"
    assert masked("/home/me/key.pem 1234") == "/home/me/key.pem 1234"


def test_a_secret_must_be_given_again() -> None:
    said = without_secrets({"name": "Tracker", "options": {"api_key": "abc", "tags": ["a"]}})
    assert said["options"]["tags"] == ["a"]
    assert said["options"]["api_key"] == {"object": "a secret, which is not written down"}
    url = without_secrets(["https://me:word@host"])
    assert url == [{"object": "a text with a secret in it: https://***@host"}]


def test_what_is_logged_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test_secrets")
    masking = Masking()
    logger.addFilter(masking)
    with caplog.at_level(logging.INFO, "test_secrets"):
        logger.info("at %s, %d%%", "https://me:word@host", 50)
        logger.info("plain %s", "text")
    logger.removeFilter(masking)
    assert [r.getMessage() for r in caplog.records] == ["at https://***@host, 50%", "plain text"]


def test_no_file_of_a_run_holds_a_secret(
    tmp_path: Path,
    tiny_bert: Path,
    toy_files: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import nearer

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("TRACKER_PASSWORD", "correct-horse-battery")
    log = logging.getLogger("nearer")
    talk = nearer.LambdaCallback(
        on_fit_begin=lambda ctx: log.warning(
            "sent to https://me:word-of-mine@host/?token=abc-of-mine with %s", TOKEN
        )
    )
    run = nearer.fit(
        model=str(tiny_bert),
        **toy_files,
        epochs=1,
        runs_dir=tmp_path / "runs",
        callbacks=[
            nearer.CSVLogger(tmp_path / "m.csv"),
            nearer.Tracker(
                "tensorboard",
                folder=tmp_path / "trackers",
                options={"comment": "correct-horse-battery"},
            ),
            talk,
        ],
    )
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(p.name == "nearer.json" for p in written)
    for path in written:
        data = path.read_bytes()
        for secret in (TOKEN, "correct-horse-battery", "word-of-mine", "abc-of-mine"):
            assert secret.encode() not in data, path
    assert "https://***@host/?token=***" in run.logs()
    assert "word-of-mine" not in capsys.readouterr().err
    options = json.loads((run.folder / "run.json").read_text())["spec"]["callbacks"][1]["options"]
    assert set(options["comment"]) == {"object"}
