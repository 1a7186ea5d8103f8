"""Push and pull of a real artifact over S3's protocol while connections are cut.

    python benchmarks/push.py [--quick] [--json]

The artifact is MiniLM as it came (90 MB); the server is moto's, on this machine, behind a proxy
that cuts three connections in the middle of a push, and three in the middle of a pull. Both are
compared with the same without cuts. Then each is ended by cuts that do not stop, without another
try, and done again. A push goes on by files, a pull by pieces of 8 MiB; nearly all of this artifact
is one file. Hashes of all files are compared each time.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from common import Row, main

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
URL = "s3://models/first"
CUTS = 3


def measure(arguments: argparse.Namespace) -> list[Row]:
    """Push and pull with and without cuts, and going on after an end."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with tempfile.TemporaryDirectory() as name:
        try:
            return _measure(Path(name), server.get_host_and_port())
        finally:
            server.stop()


def _measure(folder: Path, server: tuple[str, int]) -> list[Row]:
    import s3fs
    from support.cutting import Cutting

    import nearer.artifact.remote as remote
    from nearer.artifact.manifest import Manifest, hash_files, read_manifest
    from nearer.artifact.pull import pull
    from nearer.artifact.push import push
    from nearer.artifact.store import save_artifact
    from nearer.encoder.loading import load_encoder
    from nearer.errors import NearerError

    os.environ.update(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-1",
        NEARER_CACHE=str(folder / "cache"),
    )
    artifact = folder / "artifact"
    base = "sentence-transformers/all-MiniLM-L6-v2"
    save_artifact(
        load_encoder("minilm"),
        artifact,
        Manifest("sentence-transformers", "minilm", base, 384, run="default/first 2026"),
    )
    wanted = read_manifest(artifact).files
    size = sum(p.stat().st_size for p in artifact.rglob("*") if p.is_file())

    def through(proxy: Cutting, action: Callable[[], Any], cuts: int) -> tuple[float, int, int]:
        """Seconds, cuts and bytes of something done through the proxy."""
        os.environ["AWS_ENDPOINT_URL"] = proxy.url
        s3fs.S3FileSystem.clear_instance_cache()
        proxy.left, proxy.done, proxy.passed = cuts, 0, 0
        began = time.monotonic()
        action()
        return time.monotonic() - began, proxy.done, proxy.passed

    def empty() -> None:
        for method, path in (("POST", "moto-api/reset"), ("PUT", "models")):
            address = f"http://{server[0]}:{server[1]}/{path}"
            urlopen(Request(address, method=method, data=b"")).close()

    def forget() -> None:
        shutil.rmtree(folder / "cache", ignore_errors=True)

    def ends(action: Callable[[], Any]) -> None:
        try:
            action()
        except NearerError:
            return
        raise AssertionError("the network was down all the time")

    rows = []
    with Cutting(server, after=4 << 20, cuts=0) as proxy:
        for what, action, before in (("push", lambda: push(artifact, URL), empty),
                                     ("pull", lambda: pull(URL), forget)):  # fmt: skip
            before()
            plain, _, passed = through(proxy, action, 0)
            before()
            cut, done, passed_cut = through(proxy, action, CUTS)
            agree = hash_files(pull(URL)) == wanted and done == CUTS
            rows.append(Row(f"{what} of {size / 1e6:.1f} MB with {CUTS} cuts, seconds", "no cuts",
                            cut, plain, plain / cut, None, agree))  # fmt: skip
            rows.append(Row(f"{what}: MB through the proxy", "no cuts", passed_cut / 1e6,
                            passed / 1e6, passed / passed_cut, None, agree))  # fmt: skip
    s3fs.S3FileSystem.retries = remote.TRIES = 1
    os.environ["AWS_MAX_ATTEMPTS"] = "1"
    for what, action, before in (("push", lambda: push(artifact, URL), empty),
                                 ("pull", lambda: pull(URL), forget)):  # fmt: skip
        before()
        with Cutting(server, after=0, cuts=0) as proxy:
            proxy.down_after = 45e6
            _, _, first = through(proxy, lambda action=action: ends(action), 0)
            time.sleep(3)  # parts of the first that were on their way
            proxy.down_after = float("inf")
            _, _, rest = through(proxy, action, 0)
        os.environ["AWS_ENDPOINT_URL"] = f"http://{server[0]}:{server[1]}"
        s3fs.S3FileSystem.clear_instance_cache()
        agree = hash_files(pull(URL)) == wanted
        rows.append(Row(f"{what} that was ended after {first / 1e6:.1f} MB: MB of the second",
                        "all", rest / 1e6, size / 1e6, size / rest, None, agree))  # fmt: skip
    return rows


if __name__ == "__main__":
    main("push", measure)
