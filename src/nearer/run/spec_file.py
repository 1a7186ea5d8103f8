"""spec.toml: read, with its paths made those of its folder. Checks no option."""

import tomllib
from contextlib import suppress
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
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not a spec file: it is not UTF-8 text (byte {error.start}); a spec file is "
            'TOML: model = "minilm"'
        ) from error
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise DataError(f"{path} is not a spec file: cannot be read ({said})") from error
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else "brackets nest too deep"
        raise DataError(f"{path} is not a spec file: {said}") from error
    callbacks = options.get("callbacks")
    for table in [options, *(callbacks if isinstance(callbacks, list) else ())]:
        if isinstance(table, dict):
            _resolve_paths(table, path.parent)
    return options


def _resolve_paths(table: dict[str, Any], folder: Path) -> None:
    for name in PATHS:
        value = table.get(name)
        if isinstance(value, str) and value:
            with suppress(RuntimeError):  # the home of a user who is not there
                table[name] = str(folder / Path(value).expanduser())
    for name in MODELS:
        value = table.get(name)
        with suppress(OSError):  # longer than a path can be
            if isinstance(value, str) and (folder / value).is_dir():
                table[name] = str(folder / value)
