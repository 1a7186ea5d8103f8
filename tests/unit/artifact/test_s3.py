"""Push and pull over S3's protocol, to moto's server, with connections that are cut."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from support.cutting import Cutting

import nearer.artifact.remote as remote
from nearer.artifact.manifest import FILENAME
from nearer.artifact.pull import pull
from nearer.artifact.push import check_destination, push
from nearer.errors import ArtifactError, NearerError

from .test_push_and_pull import contents

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    # Of botocore, and of connections that a test has cut.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def fresh() -> None:
    """Let the next file system read the environment anew."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def ask(server: tuple[str, int], method: str, path: str, data: bytes = b"") -> None:
    request = Request(f"http://{server[0]}:{server[1]}/{path}", method=method, data=data)
    request.add_header("Content-Type", "text/plain")
    urlopen(request).close()


@pytest.fixture
def bucket(s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A URL in an empty bucket, with credentials in the environment that are right."""
    monkeypatch.setattr(remote, "PAUSE", 0.01)
    host, port = s3_server
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-word")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    fresh()
    ask(s3_server, "POST", "moto-api/reset")
    ask(s3_server, "PUT", "models")
    yield "s3://models/first"
    fresh()


def test_what_is_pulled_is_what_was_pushed(artifact: Path, bucket: str) -> None:
    assert push(artifact, bucket).files == 4
    assert contents(pull(bucket)) == contents(artifact)
    assert push(artifact, bucket).files == 0


def test_connections_that_are_cut_on_the_way(
    artifact: Path, bucket: str, s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cutting(s3_server, after=1 << 20, cuts=3) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        fresh()
        push(artifact, bucket)
        assert proxy.done == 3
        proxy.left, proxy.done = 3, 0
        assert contents(pull(bucket)) == contents(artifact)
        assert proxy.done == 3


def test_a_push_that_the_network_ended_goes_on(
    artifact: Path, bucket: str, s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setattr(remote, "TRIES", 1)
    with Cutting(s3_server, after=1 << 20, cuts=99) as proxy, monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        fresh()
        with pytest.raises(NearerError, match="breaks off") as caught:
            push(artifact, bucket)
        assert "2 of 3 files are there" in caught.value.__notes__[0]
    fresh()
    with pytest.raises(ArtifactError, match=f"not a whole one: it has no {FILENAME}"):
        pull(bucket)
    pushed = push(artifact, bucket)
    assert (pushed.files, pushed.kept) == (2, 2)
    assert contents(pull(bucket)) == contents(artifact)


def test_no_bucket(artifact: Path, bucket: str) -> None:
    for refused in (
        lambda: push(artifact, "s3://nowhere/first"),
        lambda: check_destination("s3://nowhere/first", None),
    ):
        with pytest.raises(NearerError, match=r"is not there .*make the bucket first"):
            refused()
    check_destination(bucket, None)


def test_credentials_that_are_wrong_or_missing(
    artifact: Path, bucket: str, s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "may not be used as it was tried.*check the credentials"
    ask(s3_server, "POST", "moto-api/reset-auth", b"0")  # from now on keys are checked
    try:
        for refused in (
            lambda: push(artifact, bucket),
            lambda: check_destination(bucket, None),
            lambda: pull(bucket),
        ):
            with pytest.raises(NearerError, match=told) as caught:
                refused()
            assert "a-secret-word" not in str(caught.value)
    finally:
        ask(s3_server, "POST", "moto-api/reset-auth", b"inf")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    fresh()
    with pytest.raises(NearerError, match=told):
        pull(bucket)


def test_nobody_there(artifact: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setattr(remote, "TRIES", 2)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fresh()
    with pytest.raises(NearerError, match="cannot be reached, or breaks off"):
        push(artifact, bucket)
