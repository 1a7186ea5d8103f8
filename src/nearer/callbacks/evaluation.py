"""EvaluationCallback: score retrieval before training and at every evaluation point."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from nearer.evaluation.distances import Distance
from nearer.evaluation.evaluator import EvaluationSet, evaluate
from nearer.evaluation.metrics import metric_keys
from nearer.evaluation.reading import read_evaluation_set
from nearer.evaluation.result import EvaluationResult
from nearer.loop.callback import Callback
from nearer.loop.context import Context
from nearer.loop.metrics import MetricInfo

LOGGER = logging.getLogger("nearer")


class EvaluationCallback(Callback):
    """Embed queries and index, search exactly, and report nine retrieval metrics.

    Runs before training (epoch 0: the model as it came) and at every evaluation point. Metrics are
    named `<name>_<metric>`, such as `minilm_ndcg_at_k`, where k is `limit`. Several evaluations
    live side by side under different names.

    Args:
        query_data: Queries: a file, rows, or a BEIR folder (which brings index and judgments).
        index_data: Documents to search. Default: the queries themselves; each query's own row then
            counts neither among its results nor among what is relevant to it.
        qrels: Judgments, in BEIR or TREC form. Default: equal labels are relevant.
        name: Prefix of the metrics. Default: the model's short name.
        limit: Results that count; the k of the metrics.
        cutoffs: More values of k; 10 adds `ndcg@10` and the like.
        distance: "cosine", "dot" or "euclidean".
        definitions: "trec" (trec_eval's) or "docarray" (the formulas of jina-ai/finetuner).
        truncate_dim: Evaluate only the first dimensions (Matryoshka).
        columns: Our column names to yours, for all files.
        on_bad_row: "error", or "skip" to leave out rows that cannot be used.

    Raises:
        DataError: A file cannot be used; before any model is loaded.

    Example:
        >>> callback = EvaluationCallback("queries.jsonl", "corpus.jsonl", "qrels.tsv", limit=10)
        >>> [m.key for m in callback.produces("minilm")][:2]
        ['minilm_average_precision', 'minilm_dcg_at_k']
    """

    def __init__(
        self,
        query_data: Any,
        index_data: Any = None,
        qrels: Any = None,
        name: str | None = None,
        limit: int = 20,
        cutoffs: Sequence[int] = (),
        distance: Distance = "cosine",
        definitions: Literal["trec", "docarray"] = "trec",
        truncate_dim: int | None = None,
        columns: Mapping[str, str] | None = None,
        on_bad_row: Literal["error", "skip"] = "error",
    ) -> None:
        self.query_data = query_data
        self.index_data = index_data
        self.qrels = qrels
        self.name = name
        self.limit = limit
        self.cutoffs = tuple(cutoffs)
        self.distance = distance
        self.definitions = definitions
        self.truncate_dim = truncate_dim
        self.columns = columns
        self.on_bad_row = on_bad_row
        self.evaluation_set: EvaluationSet | None = None
        self._notes: tuple[str, ...] = ()
        self.result: EvaluationResult | None = None

    def check(self) -> None:
        """Read the data; every fault shows here, before any model is loaded."""
        metric_keys(self.limit, self.cutoffs, self.definitions)
        read = read_evaluation_set(
            self.query_data,
            self.index_data,
            self.qrels,
            columns=self.columns,
            on_bad_row=self.on_bad_row,
        )
        self.evaluation_set, self._notes = read.data, read.notes

    def produces(self, model_name: str) -> Sequence[MetricInfo]:
        """The nine metrics, and those at the other cutoffs."""
        prefix = self.prefix(model_name)
        keys = metric_keys(self.limit, self.cutoffs, self.definitions)
        return [MetricInfo(f"{prefix}_{bare}", direction, bare) for bare, direction in keys.items()]

    def prefix(self, model_name: str) -> str:
        """What stands before the metrics' names."""
        return self.name or model_name

    def on_fit_begin(self, ctx: Context) -> None:
        """Begin anew, and say what in the data does not count."""
        self.result = None
        if self.evaluation_set is None:
            self.check()
        assert self.evaluation_set is not None
        for note in self._notes:
            LOGGER.warning("%s", note)
        size = len(self.evaluation_set.searched)
        if self.limit > size:
            LOGGER.warning(
                "limit is %s, but the index has %s rows; all are ranked", self.limit, size
            )

    def on_evaluate(self, ctx: Context) -> Mapping[str, float]:
        """Evaluate the encoder; the whole result stays in `result`."""
        assert self.evaluation_set is not None
        self.result = evaluate(
            ctx.encoder,
            self.evaluation_set,
            limit=self.limit,
            cutoffs=self.cutoffs,
            distance=self.distance,
            definitions=self.definitions,
            truncate_dim=self.truncate_dim,
            encode=ctx.encode,
            track=ctx.track,
        )
        prefix = self.prefix(ctx.config.model_name)
        return {f"{prefix}_{bare}": value for bare, value in self.result.metrics.items()}
