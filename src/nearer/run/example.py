"""What an example of a run is: a query and what was found for it. Reads and draws nothing."""

from dataclasses import dataclass
from pathlib import Path


class _Item:
    """What a query and a document have in common."""

    text: str
    picture: bool

    @property
    def path(self) -> Path:
        """Of a picture."""
        return Path(self.text)

    @property
    def name(self) -> str:
        """What a person is shown: the text, or the name of the picture's file."""
        return self.path.name if self.picture else self.text


@dataclass(frozen=True)
class Match(_Item):
    """A document that was found.

    Attributes:
        id: Its id.
        text: Its text, or its picture's path; the id where that is not to be had.
        relevant: Whether it is relevant; None where that is not known.
        label: Its class, where the data has classes.
        picture: Whether `text` is the path of a picture.
    """

    id: str
    text: str
    relevant: bool | None = None
    label: str | None = None
    picture: bool = False


@dataclass(frozen=True)
class Example(_Item):
    """A query with its best results.

    Attributes:
        query: Its id.
        text: Its text, or its picture's path; the id where that is not to be had.
        matches: What was found, nearest first.
        label: Its class, where the data has classes.
        picture: Whether `text` is the path of a picture.
    """

    query: str
    text: str
    matches: tuple[Match, ...]
    label: str | None = None
    picture: bool = False


Examples = dict[str, list[Example]]
"""Examples "before" and "after"."""
