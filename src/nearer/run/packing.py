"""Nested tensors and plain values as JSON and named tensors, and back; never pickle."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from nearer.errors import NearerError

MARK = "~"
"""Begins the key of what JSON has no form for."""


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Split nested values into what JSON holds and tensors by name.

    Raises:
        NearerError: Something is neither; says where it stands.

    Example:
        >>> pack({"betas": (0.9, 0.999)})
        ({'betas': {'~tuple': [0.9, 0.999]}}, {})
    """
    tensors: dict[str, Tensor] = {}
    return _pack(value, "", tensors), tensors


def unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Put together again what `pack` has split.

    Raises:
        KeyError: A tensor is missing.
    """
    if isinstance(value, list):
        return [unpack(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inside),) = value.items()
        if key == MARK + "tensor":
            return tensors[inside]
        if key == MARK + "tuple":
            return tuple(unpack(one, tensors) for one in inside)
        if key == MARK + "items":
            return {unpack(k, tensors): unpack(v, tensors) for k, v in inside}
    return {key: unpack(one, tensors) for key, one in value.items()}


def _pack(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | str):
        # Subclasses (numpy's float64, an enum of text) as what they are underneath.
        kind = next(k for k in (int, float, str) if isinstance(value, k))
        return kind(value)
    if isinstance(value, np.generic):
        return _pack(value.item(), place, tensors)
    if isinstance(value, Tensor):
        name = place or "value"
        while name in tensors:  # a key may have a slash in it
            name += "'"
        tensors[name] = value.contiguous()
        return {MARK + "tensor": name}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith(MARK) for key in value):
            return {str(k): _pack(v, f"{place}/{k}", tensors) for k, v in value.items()}
        items = [
            [_pack(k, f"{place}/key", tensors), _pack(v, f"{place}/{k}", tensors)]
            for k, v in value.items()
        ]
        return {MARK + "items": items}
    if isinstance(value, list | tuple):
        packed = [_pack(one, f"{place}/{i}", tensors) for i, one in enumerate(value)]
        return {MARK + "tuple": packed} if isinstance(value, tuple) else packed
    raise NearerError(
        f"{place.lstrip('/')} is a {type(value).__name__}; a checkpoint holds tensors, numbers, "
        "texts, and lists and dicts of these"
    )
