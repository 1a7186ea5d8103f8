"""Files made on the spot, and the real data where it lies."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file into the test's folder and give its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """The path of a real data set; skips, by its name, where it is not there."""
    default = Path(__file__).parents[3].parent / "shared" / "data"
    folder = Path(os.environ.get("NEARER_DATA", default))

    def real(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"{name} is not in {folder}; set NEARER_DATA")
        return folder / name

    return real
