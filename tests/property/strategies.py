"""Rankings with judgments, made by hypothesis; shared by property and differential tests."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from nearer.evaluation.metrics import RankedHits
from nearer.evaluation.relevance import JudgedRelevance


@dataclass(frozen=True)
class Case:
    """Rankings of all documents for some queries, and what was judged.

    Attributes:
        rows: Shape (queries, documents): each query's ranking; -1 after its end.
        judged: {query: {document: grade}}, grades from -1 to 3.
    """

    rows: np.ndarray
    judged: dict[int, dict[int, int]]

    @property
    def relevance(self) -> JudgedRelevance:
        flat = [(q, d, g) for q, docs in self.judged.items() for d, g in docs.items()]
        query, document, grade = np.array(flat, dtype=np.int64).reshape(-1, 3).T
        return JudgedRelevance(len(self.rows), query, document, grade)

    def hits(self, depth: int | None = None) -> RankedHits:
        rows = self.rows[:, :depth]
        queries = np.arange(len(rows))
        relevance = self.relevance
        return RankedHits(
            gains=relevance.gains(queries, rows),
            returned=(rows >= 0).sum(axis=1),
            relevant=relevance.counts,
            ideal=relevance.ideal(queries, self.rows.shape[1] + 30),
        )

    def run(self) -> dict[str, dict[str, float]]:
        """As trec_eval reads it: scores fall strictly by rank."""
        size = self.rows.shape[1]
        return {
            f"q{q}": {f"d{d}": float(size - rank) for rank, d in enumerate(row) if d >= 0}
            for q, row in enumerate(self.rows)
        }

    def qrels(self) -> dict[str, dict[str, int]]:
        return {
            f"q{q}": {f"d{d}": g for d, g in self.judged[q].items()} for q in range(len(self.rows))
        }


@st.composite
def cases(draw: st.DrawFn, grades: tuple[int, int] = (-1, 3), whole: bool = False) -> Case:
    """Draw rankings of up to 25 documents; lists may be short, and queries without judgments."""
    queries = draw(st.integers(1, 4))
    documents = draw(st.integers(1, 25))
    rows = np.full((queries, documents), -1)
    judged = {}
    for query in range(queries):
        order = draw(st.permutations(range(documents)))
        length = documents if whole else draw(st.integers(0, documents))
        rows[query, :length] = order[:length]
        judged[query] = draw(
            st.dictionaries(st.integers(0, documents - 1), st.integers(*grades), max_size=documents)
        )
    return Case(rows, judged)
