"""A whole evaluation, texts to metrics, the first time and again."""

from common import Row


def whole(quick: bool) -> list[Row]:
    """Rows "medquad first time" and "medquad again"."""
    return []
