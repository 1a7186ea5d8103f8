"""What a user types to do a run again: from a recorded spec to a command. Runs nothing."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from nearer.run.spec_json import lost

NOT_AGAIN = ("name", "checkpoint_every")
"""A name is taken; how often a run is kept changes nothing of it."""


def command_again(spec: Mapping[str, Any]) -> tuple[str, str]:
    """The command that does a run again, and how to use it.

    Args:
        spec: As run.json has it.

    Returns:
        A command line, or a spec file where options are not all single values; then a sentence.

    Example:
        >>> command_again({"model": "minilm", "train_data": "my pairs.csv", "epochs": 2})[0]
        "nearer fit --model minilm --train-data 'my pairs.csv' --epochs 2"
    """
    options = {k: v for k, v in spec.items() if k not in NOT_AGAIN and v not in (None, [])}
    objects = lost(options)
    if objects:
        note = (
            "Some options were objects, which are not on disk. Put this in spec.toml, with files:"
        )
    elif all(
        isinstance(v, str | int | float) and not isinstance(v, bool) for v in options.values()
    ):
        words = [w for k, v in options.items() for w in (f"--{k.replace('_', '-')}", str(v))]
        note = "On the same machine and with the same versions this gives the same weights:"
        return shlex.join(["nearer", "fit", *words]), note
    else:
        note = "Put this in spec.toml, then: nearer fit spec.toml"
    return "\n".join(_toml(options)), note


def _toml(options: Mapping[str, Any]) -> Iterator[str]:
    callbacks = options.get("callbacks") or []
    for name, value in options.items():
        if name != "callbacks":
            yield _line(name, value)
    for one in callbacks:
        if isinstance(one, Mapping) and "name" in one:
            yield "\n[[callbacks]]"
            yield from (_line(k, v) for k, v in one.items() if v is not None)
        else:
            yield f"\n# a callback that was {_said(one)}"


def _line(name: str, value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"object"}:
        return f"# {name} = … was {_said(value)}"
    return f"{name} = {_value(value)}"


def _said(value: Any) -> str:
    what = value.get("object", value) if isinstance(value, Mapping) else value
    return json.dumps(what, ensure_ascii=False)


def _value(value: Any) -> str:
    """A value in TOML, whose strings, numbers and lists are those of JSON."""
    if isinstance(value, Mapping):
        pairs = (f"{_value(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
