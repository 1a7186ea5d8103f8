"""Runs a parser on bytes that nobody meant: by atheris where it is installed, else by our mutator.

A harness is a function of bytes and a folder to write them into. Whatever it raises that is no
`NearerError` is a defect.
"""

import contextlib
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nearer.errors import NearerError

Parse = Callable[[bytes, Path], object]
MOST = 4096
"""Bytes of an input at most."""

POOL = 100
"""Inputs at most of which mutants are made."""


@dataclass(frozen=True)
class Harness:
    """A parser with what it is fed to begin with.

    Attributes:
        name: Of the parser.
        parse: Reads the bytes; may raise NearerError and nothing else.
        seeds: Inputs that are well formed, or nearly so.
        words: Pieces that mean something to the parser.
    """

    name: str
    parse: Parse
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()

    def one(self, data: bytes, folder: Path) -> bool:
        """Parse one input; whether it was taken."""
        try:
            self.parse(data, folder)
        except NearerError as error:
            if not str(error).strip():
                raise ValueError("an error without a text") from error
            return False
        return True

    def run(self, runs: int, seed: int) -> tuple[int, int]:
        """Parse so many inputs; how many were taken and how many refused."""
        draw, pool, taken = random.Random(seed), list(self.seeds), 0
        with tempfile.TemporaryDirectory() as folder, _quiet():
            for number in range(runs):
                data = pool[number] if number < len(self.seeds) else self._mutant(draw, pool)
                try:
                    fine = self.one(data, Path(folder))
                except Exception as error:
                    error.add_note(f"harness {self.name}, seed {seed}, input {data!r}")
                    raise
                taken += fine
                if fine and len(pool) < POOL:  # what was taken leads to more that is taken
                    pool.append(data)
        return taken, runs - taken

    def _mutant(self, draw: random.Random, pool: Sequence[bytes]) -> bytes:
        return mutated(draw.choice(pool), draw, pool, self.words)


SPECIAL = (b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n", b"\r\n", b'"', b"'")
SPECIAL += (b"[" * 2000, b"1" * 5000, b"-1", b"1e999", b"NaN", b"null", b"\\", b"\xf0\x9f\x98\x80")
SPECIAL += (b"\\ud800", b"true", b"9223372036854775808", b"{}", b"[]", b"../", b"a" * 1000)


def mutated(
    data: bytes, draw: random.Random, pool: Sequence[bytes], words: Sequence[bytes]
) -> bytes:
    """Change an input in one or more places."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at = draw.randint(0, len(out))
        length = min(len(out) - at, draw.choice((1, 1, 2, 4, 16, 64)))
        kind = draw.randrange(7)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del out[at : at + length]
        elif kind == 2:
            out[at:at] = out[at : at + length] * draw.randint(1, 3)
        elif kind == 3:
            out[at : at + draw.choice((0, length))] = draw.choice((*words, *SPECIAL))
        elif kind == 4:
            del out[at:]
        elif kind == 5:
            other = draw.choice(pool)
            cut = draw.randint(0, len(other))
            out[at:] = other[cut:]
        else:
            out[at : at + length] = draw.randbytes(length)
    return bytes(out[:MOST])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("nearer")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def main(harness: Harness) -> None:
    """Run a harness from the command line: `-runs=20000 -seed=1 -max_total_time=60`."""
    options = dict(
        word[1:].split("=", 1) for word in sys.argv[1:] if word.startswith("-") and "=" in word
    )
    runs, seed = int(options.get("runs", 20_000)), int(options.get("seed", 1))
    try:
        import atheris
    except ImportError:
        began = time.monotonic()
        taken, refused = harness.run(runs, seed)
        seconds = time.monotonic() - began
        print(f"{harness.name}: {runs} inputs, {taken} taken, {refused} refused, {seconds:.0f} s")
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, data in enumerate(harness.seeds):
            (corpus / str(number)).write_bytes(data)
        words = Path(folder) / "words"
        escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in harness.words if word)
        words.write_text("".join(f'"{word}"\n' for word in escaped))
        place = Path(folder) / "place"
        place.mkdir()
        given = [f"-runs={runs}", f"-seed={seed}", f"-max_len={MOST}"]
        given += [f"-dict={words}"] if harness.words else []  # an empty one is an error
        given += [f"-artifact_prefix={Path.cwd()}/", "-rss_limit_mb=6000"]
        given += [word for word in sys.argv[1:] if not word.startswith(("-runs", "-seed"))]
        logging.getLogger("nearer").setLevel(logging.CRITICAL)
        atheris.Setup([sys.argv[0], *given, str(corpus)], lambda data: harness.one(data, place))
        atheris.Fuzz()
