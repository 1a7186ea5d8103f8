"""Which index rows are relevant to which queries, without a matrix of all pairs. Ranks nothing."""

from typing import Protocol

import numpy as np

from nearer.errors import DataError


class Relevance(Protocol):
    """What a ranking is judged by.

    Attributes:
        counts: Shape (queries,), int64: how many index rows are relevant to each query (R).
    """

    counts: np.ndarray

    def gains(self, queries: np.ndarray, hits: np.ndarray) -> np.ndarray:
        """Grades of what was found, 0 where it is not relevant.

        Args:
            queries: Shape (q,), query rows.
            hits: Shape (q, k), int64 index rows; -1 where nothing is.

        Returns:
            Shape (q, k), float64.
        """

    def ideal(self, queries: np.ndarray, depth: int) -> np.ndarray:
        """Grades of the best possible ranking, falling, then 0: shape (q, depth), float64."""


class JudgedRelevance:
    """Relevance by judgments (qrels, pairs): grades of single query-document pairs.

    A grade of 1 or more is relevant and is the gain; less than that, negative grades included, is
    judged not relevant and gains nothing. Of a pair that is judged twice the higher grade counts.
    Takes memory by the judgments, not by queries times documents.

    Args:
        n_queries: Number of queries.
        query_rows: Shape (n,), integers from 0 to n_queries - 1.
        index_rows: Shape (n,), integers, 0 or more.
        grades: Shape (n,), numbers.
        own_rows: Shape (n_queries,): the index row that is the query itself, -1 for none; it is
            relevant to its query no longer. None where queries are no part of the index.

    Raises:
        DataError: Rows outside of the queries or below 0, or arrays of different lengths.
    """

    def __init__(
        self,
        n_queries: int,
        query_rows: np.ndarray,
        index_rows: np.ndarray,
        grades: np.ndarray,
        own_rows: np.ndarray | None = None,
    ) -> None:
        query = np.asarray(query_rows, dtype=np.int64)
        index = np.asarray(index_rows, dtype=np.int64)
        grade = np.asarray(grades, dtype=np.float64)
        if not len(query) == len(index) == len(grade):
            raise DataError(
                f"judgments are three arrays of one length; got {len(query)} query rows, "
                f"{len(index)} index rows and {len(grade)} grades"
            )
        if len(query) and (query.min() < 0 or query.max() >= n_queries or index.min() < 0):
            raise DataError(
                f"judgments name rows that are not there: query rows {query.min()} to "
                f"{query.max()} of {n_queries}, index rows from {index.min()}"
            )
        kept = grade >= 1
        if own_rows is not None:
            kept &= index != np.asarray(own_rows)[query]
        query, index, grade = query[kept], index[kept], grade[kept]
        self._width = int(index.max(initial=-1)) + 1
        keys = query * self._width + index
        order = np.argsort(keys)
        keys = keys[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        self._keys, query = keys[first], query[order[first]]
        grade = np.maximum.reduceat(grade[order], first) if len(first) else grade
        self._grades = np.append(grade, 0.0)  # what lies past the end gains nothing
        self.counts = np.bincount(query, minlength=n_queries).astype(np.int64)
        self._start = np.cumsum(self.counts) - self.counts
        self._falling = np.append(grade[np.lexsort((-grade, query))], 0.0)

    def turned(self, rows: int) -> "JudgedRelevance":
        """The same judgments as an index of so many rows sees them, where its rows ask."""
        query, index = np.divmod(self._keys, max(1, self._width))
        return JudgedRelevance(rows, index, query, self._grades[:-1])

    def gains(self, queries: np.ndarray, hits: np.ndarray) -> np.ndarray:
        """See `Relevance.gains`."""
        keys = np.asarray(queries)[:, None] * self._width + hits
        place = np.searchsorted(self._keys, keys)
        found = np.append(self._keys, -1)[place] == keys
        found &= (hits >= 0) & (hits < self._width)
        return np.where(found, self._grades[place], 0.0)

    def ideal(self, queries: np.ndarray, depth: int) -> np.ndarray:
        """See `Relevance.ideal`."""
        place = np.arange(depth)
        there = place < self.counts[queries][:, None]
        return np.take(self._falling, np.where(there, self._start[queries][:, None] + place, -1))


class LabelRelevance:
    """Relevance by equal labels: every index row of the query's class, with grade 1.

    Args:
        query_codes: Shape (queries,), the class of each query as an integer; -1 for no label,
            which is relevant to nothing.
        index_codes: Shape (n,), the same for the index.
        n_classes: Codes are below this.
        own_rows: Shape (queries,): the index row that is the query itself, -1 for none; it is
            relevant to its query no longer.

    Example:
        >>> LabelRelevance(np.array([0, 1, -1]), np.array([0, 0, 1]), 2).counts.tolist()
        [2, 1, 0]
    """

    def __init__(
        self,
        query_codes: np.ndarray,
        index_codes: np.ndarray,
        n_classes: int,
        own_rows: np.ndarray | None = None,
    ) -> None:
        self._query = np.asarray(query_codes, dtype=np.int64)
        self._classes = n_classes
        self._index = np.append(np.asarray(index_codes, dtype=np.int64), -1)  # row -1: no label
        highest = max(self._query.max(initial=-1), self._index.max(initial=-1))
        if highest >= n_classes:
            raise DataError(f"label code {highest} is not one of {n_classes} classes")
        size = np.bincount(self._index[self._index >= 0], minlength=n_classes)
        self.counts = np.where(self._query >= 0, np.append(size, 0)[self._query], 0)
        self._own = np.full(len(self._query), -1) if own_rows is None else np.asarray(own_rows)
        self.counts -= (self._query >= 0) & (self._index[self._own] == self._query)

    def turned(self, rows: int) -> "LabelRelevance":
        """Equal labels as an index of so many rows sees them, where its rows ask."""
        return LabelRelevance(self._index[:rows], self._query, self._classes)

    def gains(self, queries: np.ndarray, hits: np.ndarray) -> np.ndarray:
        """See `Relevance.gains`."""
        label = self._query[queries][:, None]
        same = (self._index[hits] == label) & (label >= 0) & (hits != self._own[queries][:, None])
        return np.asarray(same, dtype=np.float64)

    def ideal(self, queries: np.ndarray, depth: int) -> np.ndarray:
        """See `Relevance.ideal`."""
        there = np.arange(depth) < self.counts[queries][:, None]
        return np.asarray(there, dtype=np.float64)


def turned(relevance: Relevance, rows: int) -> Relevance:
    """What is relevant to what as the index sees it, where its rows ask and the queries are found.

    Args:
        relevance: Of all queries, which are no part of the index.
        rows: Rows of the index.

    Example:
        >>> captions = JudgedRelevance(3, [0, 1, 2], [0, 0, 1], [1, 1, 1])
        >>> turned(captions, 2).counts.tolist()
        [2, 1]
    """
    assert isinstance(relevance, JudgedRelevance | LabelRelevance)  # not of a sample
    return relevance.turned(rows)
