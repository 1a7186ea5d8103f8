"""EvaluationCallback: score retrieval before training and at every evaluation point."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

from nearer.callbacks.arguments import number_faults
from nearer.callbacks.cost import Cost
from nearer.errors import SpecError, UsageError, did_you_mean
from nearer.evaluation.budget import memory_bytes
from nearer.evaluation.distances import Distance
from nearer.evaluation.evaluator import EvaluationSet, evaluate
from nearer.evaluation.metrics import Definitions, metric_keys
from nearer.evaluation.reading import read_evaluation_set
from nearer.evaluation.result import REVERSE, EvaluationResult
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
        query_sample_size: How many queries ask, drawn once for all epochs; default all. The index
            stays whole, also where it is the queries.
        sample_seed: The same seed draws the same queries, whatever the seed of the run.
        every: Evaluate at every n-th evaluation point only; always at the first and the last one.
        memory_budget: What the search may take beside the queries' embeddings: "1GiB", "512MB",
            "2g", or a number of bytes.
        gather_examples: Whether the run keeps results of some queries, before and after.
        num_example_queries: Of how many queries.
        both_directions: Also let the rows of the index ask, among all queries and by the same
            embeddings: `<name>_reverse_<metric>`. For text and picture; needs `index_data`.

    Raises:
        SpecError: An argument is out of range; all of them are listed.
        DataError: A file cannot be used; before any model is loaded.

    Example:
        >>> callback = EvaluationCallback("queries.jsonl", "corpus.jsonl", "qrels.tsv", limit=10)
        >>> [m.key for m in callback.produces("minilm")][:2]
        ['minilm_average_precision', 'minilm_dcg_at_k']
    """

    every_process: ClassVar[bool] = True

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
        query_sample_size: int | None = None,
        sample_seed: int = 42,
        every: int = 1,
        memory_budget: int | str = "1GiB",
        gather_examples: bool = True,
        num_example_queries: int = 5,
        both_directions: bool = False,
    ) -> None:
        self.query_data = query_data
        self.index_data = index_data
        self.qrels = qrels
        self.name = name
        self.limit = limit
        listed = isinstance(cutoffs, Sequence) and not isinstance(cutoffs, str)
        self.cutoffs = tuple(cutoffs) if listed else cutoffs
        self.distance = distance
        self.definitions = definitions
        self.truncate_dim = truncate_dim
        self.columns = columns
        self.on_bad_row = on_bad_row
        self.query_sample_size = query_sample_size
        self.sample_seed = sample_seed
        self.every = every
        self.memory_budget = memory_budget
        self.gather_examples = gather_examples
        self.num_example_queries = num_example_queries
        self.both_directions = both_directions
        self.evaluation_set: EvaluationSet | None = None
        self._notes: tuple[str, ...] = ()
        self.result: EvaluationResult | None = None
        self._budget = self._checked()

    def _checked(self) -> int:
        """Look at the arguments that are ours alone; the memory budget in bytes."""
        faults, budget = [], 0
        me = type(self).__name__
        least = {"query_sample_size": 1, "sample_seed": 0, "every": 1, "num_example_queries": 1}
        for name, low in {**least, "truncate_dim": 1, "limit": 1}.items():
            value = getattr(self, name)
            faults += [] if value is None else number_faults(f"{me}.{name}", value, low)
        if not isinstance(self.cutoffs, tuple):
            faults.append(f"{me}.cutoffs: {self.cutoffs!r}; must be a list, such as [1, 10]")
        for cutoff in self.cutoffs if isinstance(self.cutoffs, tuple) else ():
            faults += number_faults(f"{me}.cutoffs", cutoff, 1)
        choices = {"distance": get_args(Distance), "on_bad_row": ("error", "skip")}
        for name, known in {**choices, "definitions": get_args(Definitions)}.items():
            value = getattr(self, name)
            if value not in known:
                hint = did_you_mean(str(value), known)
                faults.append(f"{me}.{name}: {value!r}; must be {' or '.join(known)}.{hint}")
        if not isinstance(self.both_directions, bool):
            faults.append(f"{me}.both_directions: {self.both_directions!r}; must be true or false")
        if not isinstance(self.columns, Mapping | None):
            faults.append(f"{me}.columns: {self.columns!r}; must be names with values")
        if not isinstance(self.name, str | None):
            faults.append(f"{me}.name: {self.name!r}; must be text")
        try:
            budget = memory_bytes(self.memory_budget, f"{me}.memory_budget")
        except UsageError as error:
            faults.append(str(error))
        if faults:
            raise SpecError(faults)
        return budget

    def check(self) -> None:
        """Read the data; every fault shows here, before any model is loaded."""
        metric_keys(self.limit, self.cutoffs, self.definitions)
        read = read_evaluation_set(
            self.query_data,
            self.index_data,
            self.qrels,
            columns=self.columns,
            on_bad_row=self.on_bad_row,
            query_sample_size=self.query_sample_size,
            sample_seed=self.sample_seed,
            both_directions=self.both_directions,
        )
        self.evaluation_set, self._notes = read.data, read.notes

    def produces(self, model_name: str) -> Sequence[MetricInfo]:
        """The nine metrics, and those at the other cutoffs; those of the reverse likewise."""
        prefix = self.prefix(model_name)
        keys = metric_keys(self.limit, self.cutoffs, self.definitions)
        if self.both_directions:
            keys = keys | {f"{REVERSE}{bare}": direction for bare, direction in keys.items()}
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
        self._cost = Cost()
        for note in self._notes:
            LOGGER.warning("%s", note)
        size = len(self.evaluation_set.searched)
        if self.limit > size:
            LOGGER.warning(
                "limit is %s, but the index has %s rows; all are ranked", self.limit, size
            )

    def on_train_batch_begin(self, ctx: Context) -> None:
        """Time the first batches, to tell what share of the time an evaluation takes."""
        self._cost.begin_batch()

    def on_train_batch_end(self, ctx: Context) -> None:
        """Say what an evaluation costs, once that is known."""
        self._cost.end_batch()
        self._say_cost(ctx)

    def on_evaluate(self, ctx: Context) -> Mapping[str, float] | None:
        """Evaluate the encoder; the whole result stays in `result`, None where it is not our turn.

        Points are counted over the whole fit; the first and the last one are always ours.
        """
        assert self.evaluation_set is not None
        self.result = None
        if len(ctx.history) % self.every and not ctx.is_last:
            return None
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
            memory_budget=self._budget,
            processes=ctx.processes,
            both_directions=self.both_directions,
        )
        frozen = not all(p.requires_grad for p in ctx.encoder.module.parameters())
        self._cost.take(self.result, trained=ctx.step > 0, frozen=frozen)
        self._say_cost(ctx)
        prefix = self.prefix(ctx.config.model_name)
        return {f"{prefix}_{bare}": value for bare, value in self.result.reported.items()}

    def state_dict(self) -> dict[str, Any]:
        """What is known of the cost, so that a resumed fit does not say it again."""
        return {"cost": self._cost.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._cost.load_state_dict(state["cost"])

    def _say_cost(self, ctx: Context) -> None:
        name, config = self.prefix(ctx.config.model_name), ctx.config
        line = self._cost.line(name, self.every, config.evaluate_every, ctx.batches)
        if line is not None:
            LOGGER.info("%s", line)
