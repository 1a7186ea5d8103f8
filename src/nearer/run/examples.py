"""Results of some queries before and after a run, as texts, from the ranks that it kept."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather

from nearer.artifact.atomic import write_text
from nearer.callbacks import EvaluationCallback
from nearer.evaluation.result import plain
from nearer.loop.state import FitResult
from nearer.run.door import Plan
from nearer.run.record import RunFolder
from nearer.run.recorder import ranks_file

QUERIES = 5
SHOWN = 5

Examples = dict[str, dict[str, list[str]]]


def write_examples(plan: Plan, folder: RunFolder, result: FitResult) -> None:
    """Write examples.json: best results of some queries, drawn with the run's seed."""
    if not plan.evaluations or not result.history or result.kept is None:
        return
    evaluation = plan.evaluations[0]
    prefix = evaluation.prefix(plan.model_name)
    before = folder.ranks / ranks_file(prefix, result.history[0])
    after = folder.ranks / ranks_file(prefix, result.kept)
    if not (before.is_file() and after.is_file()):
        return
    assert evaluation.evaluation_set is not None
    count = len(evaluation.evaluation_set.query)
    drawn = sorted(random.Random(plan.spec.seed).sample(range(count), min(QUERIES, count)))
    examples = {
        "before": results(evaluation, before, drawn),
        "after": results(evaluation, after, drawn),
    }
    text = json.dumps(examples, indent=2, ensure_ascii=False)
    write_text(folder.path / "examples.json", text + "\n")


def results(
    evaluation: EvaluationCallback, ranks: Path, queries: Sequence[int], shown: int = SHOWN
) -> dict[str, list[str]]:
    """The best documents of some queries as texts.

    Args:
        evaluation: The evaluation that the ranks are of.
        ranks: A file of ranks.
        queries: Row numbers of the queries.
        shown: Most documents a query.
    """
    data = evaluation.evaluation_set
    assert data is not None
    found = feather.read_table(str(ranks), columns=["hits"]).column("hits").take(pa.array(queries))
    texts = data.query.items.take(pa.array(queries)).to_pylist()
    shown_ids = [ids[:shown] for ids in found.to_pylist()]
    rows = pc.index_in(
        pa.array([i for ids in shown_ids for i in ids], pa.large_string()),
        value_set=plain(data.searched.ids),
    )
    items = iter(data.searched.items.take(rows).to_pylist())
    return {text: [next(items) for _ in ids] for text, ids in zip(texts, shown_ids, strict=True)}
