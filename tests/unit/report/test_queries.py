import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from nearer.evaluation.bootstrap import Interval
from nearer.evaluation.comparison import Comparison
from nearer.report.queries import CHANGED, LONG, ROOM, SHOWN, read_queries, short


class Shouting:
    """Texts that are known: the id in capitals; documents d0 are relevant."""

    pictures = (False, False)

    def queries(self, ids: Sequence[str]) -> list[str]:
        return [one.upper() for one in ids]

    documents = queries

    def relevant(self, query: str, documents: Sequence[str]) -> list[bool] | None:
        return [one == "d0" for one in documents]


def comparison(a: list[float], b: list[float], hits: int = 7, name: str = "q") -> Comparison:
    found = [f"d{i}" for i in range(hits)]
    return Comparison(
        "ndcg_at_k",
        "max",
        hits,
        float(np.mean(a)),
        float(np.mean(b)),
        Interval(0, 0),
        pa.array([f"{name}{i}" for i in range(len(a))], pa.large_string()),
        np.array(a),
        np.array(b),
        pa.array([found] * len(a)),
        pa.array([found[::-1]] * len(a)),
    )


def test_won_and_lost_with_what_was_found() -> None:
    found = read_queries(comparison([0.0, 1.0, 0.5], [1.0, 0.5, 0.5]), Shouting())
    assert (found.counts, found.total) == ((1, 1, 1), 3)
    (won,), (lost,) = found.won, found.lost
    assert (won.id, won.text, won.a, won.b) == ("q0", "Q0", 0.0, 1.0)
    assert (lost.id, lost.a, lost.b) == ("q1", 1.0, 0.5)
    before, after = won.hits
    assert [(h.rank, h.text, h.relevant, h.other) for h in before][:2] == [
        (1, "D0", True, 7),
        (2, "D1", False, 6),
    ]
    assert [h.text for h in after] == ["D6", "D5", "D4", "D3", "D2"]
    assert found.listed == (("Q0", 0.0, 1.0), ("Q1", 1.0, 0.5), ("Q2", 0.5, 0.5))


class Pictures(Shouting):
    """Queries and documents are pictures in a folder; only d0 and q0 are there."""

    pictures = (True, True)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("d0.png", "q0.png"):
            Image.new("RGB", (200, 100), "red").save(folder / name)

    def queries(self, ids: Sequence[str]) -> list[str]:
        return [str(self.folder / f"{one}.png") for one in ids]

    documents = queries


def test_pictures_are_copied_into_the_page(tmp_path: Path) -> None:
    found = read_queries(comparison([0.0], [1.0], hits=2), Pictures(tmp_path))
    (query,) = found.won
    assert query.picture.startswith("data:image/jpeg;base64,")
    there, gone = query.hits[0]
    assert there.picture.startswith("data:image/jpeg;base64,")
    assert (gone.picture, gone.text) == ("", str(tmp_path / "d1.png"))


def test_what_is_shown_is_limited() -> None:
    found = read_queries(comparison([0.0] * 60, [1.0] * 60), Shouting())
    assert len(found.won) == CHANGED
    assert {len(side) for query in found.won for side in query.hits} == {SHOWN}
    assert len(found.listed) == 60


@pytest.mark.parametrize("word", ["long ", "検索語"])
def test_the_list_keeps_to_its_room(word: str) -> None:
    count = 20_000
    many = comparison(list(np.linspace(0, 1, count)), [0.5] * count, 1, word * 80)
    found = read_queries(many, Shouting())
    assert found.total == count
    assert 8_000 < len(found.listed) < count
    assert sum(len(text) for text, _, _ in found.listed) < ROOM
    assert found.listed[0][1:] in ((0.0, 0.5), (1.0, 0.5))


def test_ten_thousand_queries_are_all_listed_in_its_room() -> None:
    many = comparison([0.123456] * 10_000, [0.5] * 10_000, 1, "many words " * 20)
    listed = read_queries(many, Shouting()).listed
    assert len(listed) == 10_000
    assert len(listed[0][0]) > 35
    assert len(json.dumps(listed, separators=(",", ":"))) < ROOM * 1.1


def test_a_long_text_is_cut() -> None:
    assert short("x" * 10_000) == "x" * (LONG - 1) + "…"
    assert short("two\n\n lines") == "two lines"
