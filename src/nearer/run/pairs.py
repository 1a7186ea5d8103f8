"""Lists and mappings as they are written on a command line: "1,10" and "query=q,document=d"."""

import json
from typing import Any


def numbers(text: str) -> tuple[int, ...]:
    """Read "1,10".

    Raises:
        ValueError: A part is not a whole number.

    Example:
        >>> numbers("1, 10")
        (1, 10)
    """
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError(f"{text!r}; must be whole numbers such as 1,10") from None


def pairs(text: str) -> dict[str, str]:
    """Read "query=q,document=d".

    Raises:
        ValueError: A part has no "=".

    Example:
        >>> pairs("query=q,document=d")
        {'query': 'q', 'document': 'd'}
    """
    found = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise ValueError(f"{part!r}; must be name=value,name=value")
        found[name.strip()] = value.strip()
    return found


def values(text: str) -> dict[str, Any]:
    """Read "temperature=0.1,symmetric=true": values as JSON where they are, else as text.

    Example:
        >>> values("temperature=0.1,miner=MultiSimilarityMiner")
        {'temperature': 0.1, 'miner': 'MultiSimilarityMiner'}
    """
    return {name: _value(value) for name, value in pairs(text).items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
