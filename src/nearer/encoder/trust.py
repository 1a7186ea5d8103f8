"""A look at a model's files before they are loaded: no code, no pickles, nothing outside of it.

Reads JSON and the heads of weight files only; what the files mean is sentence-transformers' affair.
"""

import inspect
import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from nearer.errors import ModelError

PICKLED = (
    "pytorch_model*.bin",
    "adapter_model*.bin",
    "*.pt",
    "*.pth",
    "*.pkl",
    "*.pickle",
    "*.ckpt",
)
"""Files of weights that are read by unpickling, which can run code."""

NAMESPACE = "sentence_transformers."
MODULES = "modules.json"
ROUTER = "router_config.json"
SAFE = "model.safetensors"
Locate = Callable[[str], Path | None]
"""From the name of a file of the model to where it is; None where there is none."""


def check_folder(folder: Path, model: str) -> None:
    """Check the folder of a model.

    Args:
        folder: The folder.
        model: What messages call it.

    Raises:
        ModelError: It names a class that is none of sentence-transformers' modules, a file outside
            of itself, has pickled weights only, or a file of weights that is damaged.
    """

    def locate(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    for part in dict.fromkeys(["", *check_classes(locate, model)]):
        if (folder / part).is_dir():
            _check_weights(folder / part, model)


def check_classes(locate: Locate, model: str) -> list[str]:
    """Check which classes a model names, and that its parts lie in it.

    Args:
        locate: Finds the model's files, in a folder or on the hub.
        model: What messages call it.

    Returns:
        The folders of its parts.

    Raises:
        ModelError: A class is none of sentence-transformers' modules, a part lies outside, or a
            file is not what it should be.
    """
    described = _read(locate(MODULES), model)
    if described is None:
        return []
    if not isinstance(described, list) or not all(_is_part(part) for part in described):
        raise _refused(
            model, f'{MODULES} is no list of parts, each with a "type" and a "path"', RESTORE
        )
    folders: list[str] = []
    for part in described:
        _check_inside(part["path"], model, MODULES)
        _check_class(part["type"], model, MODULES)
        folders.append(part["path"])
        name = str(PurePosixPath(part["path"]) / ROUTER)
        routes = _read(locate(name), model)
        types = routes.get("types") if isinstance(routes, dict) else None
        for path, kind in types.items() if isinstance(types, dict) else ():
            _check_inside(str(path), model, name)
            _check_class(str(kind), model, name)
            folders.append(str(PurePosixPath(part["path"]) / path))
    for path in filter(None, folders):  # the weights of the root are read by transformers
        inside = PurePosixPath(path)
        if not locate(str(inside / SAFE)) and locate(str(inside / "pytorch_model.bin")):
            raise _pickled(model, str(inside / "pytorch_model.bin"))
    return folders


RESTORE = "get the model again, or give the folder that save_pretrained wrote"
NO_CODE = (
    "code that comes with a model is never run; take a model without, or load it yourself and "
    "give the object"
)


def not_loaded(model: str, error: Exception) -> ModelError:
    """What to say where the libraries below could not load a model."""
    said = str(error)
    if "custom code" in said or "trust_remote_code" in said:
        return _refused(model, "it needs code of its own", NO_CODE)
    if "ignore_mismatched_sizes" in said:
        return _refused(model, "its weights have other shapes than its config.json says", RESTORE)
    plain = isinstance(error, ValueError | OSError | RuntimeError)
    why = _line(error) if plain else f"{type(error).__name__}: {_line(error)}"
    return _refused(model, why, RESTORE)


def _check_class(name: str, model: str, file: str) -> None:
    # The library imports whatever stands in its own namespace, its imports of others included:
    # "sentence_transformers.base.model.torch" would call torch.load.
    if name.startswith(NAMESPACE):
        from sentence_transformers.util import import_from_string

        try:
            found = import_from_string(name)
        except Exception:  # whatever a name that is none may lead to
            found = None
        if inspect.isclass(found) and issubclass(found, nn.Module) and _is_own(found):
            return
    raise _refused(
        model,
        f'{file} names "{name}", which is no module of sentence-transformers',
        NO_CODE,
    )


def _is_own(found: type) -> bool:
    return found.__module__.startswith(NAMESPACE)


def _check_inside(path: str, model: str, file: str) -> None:
    inside = PurePosixPath(path.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in path or "\0" in path:
        raise _refused(model, f'{file} names "{path}", outside of the model', RESTORE)


def _check_weights(folder: Path, model: str) -> None:
    safe = sorted(folder.glob("*.safetensors"))
    for path in safe:
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise _refused(
                model, f"{path.name} is damaged ({_line(error)})", "get the model again"
            ) from error
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled and not safe:
        raise _pickled(model, pickled[0])


def _pickled(model: str, name: str) -> ModelError:
    return _refused(
        model,
        f"its weights are pickled ({name}), and reading a pickle can run code",
        "take a model with model.safetensors; where you trust this one, load it with "
        "sentence-transformers yourself and save_pretrained writes one",
    )


def _read(path: Path | None, model: str) -> Any:
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _refused(model, f"{path.name} is not valid JSON ({_line(error)})", RESTORE) from error


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and all(isinstance(part.get(k), str) for k in ("type", "path"))


def _refused(model: str, why: str, way_out: str) -> ModelError:
    return ModelError(f'cannot load the model "{model}": {why}; {way_out}')


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
