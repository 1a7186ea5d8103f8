"""spec.toml: read, with its paths made those of its folder. Checks no option."""

import tomllib
from pathlib import Path
from typing import Any

from nearer.errors import DataError
from nearer.run.spec import MODELS, PATHS


def read_spec_file(path: Path) -> dict[str, Any]:
    """Read spec.toml; paths in it are relative to its folder.

    Raises:
        DataError: It is not there or is not TOML; names the line.
    """
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"no spec file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is not a spec file: {error}") from error
    for table in [options, *options.get("callbacks", [])]:
        if isinstance(table, dict):
            _resolve_paths(table, path.parent)
    return options


def _resolve_paths(table: dict[str, Any], folder: Path) -> None:
    for name in PATHS:
        value = table.get(name)
        if isinstance(value, str) and value:
            table[name] = str(folder / Path(value).expanduser())
    for name in MODELS:
        value = table.get(name)
        if isinstance(value, str) and (folder / value).is_dir():
            table[name] = str(folder / value)
