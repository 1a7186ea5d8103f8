"""Which options of a call in Python were chosen, and not left at their defaults."""

from typing import Any

from nearer.run.spec import RunSpec

HOLDS_DATA = {"train_data", "eval_data", "query_data", "index_data", "qrels", "model", "callbacks"}


def chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a call without those that were left at their defaults."""
    return {k: v for k, v in options.items() if v is not None and not _default(k, v)}


def _default(name: str, value: Any) -> bool:
    """Whether a value is the option's default; what holds data is never compared."""
    if name in HOLDS_DATA:
        return isinstance(value, tuple) and not value
    return bool(value == RunSpec.model_fields[name].default)
