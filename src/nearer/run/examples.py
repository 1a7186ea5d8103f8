"""Results of some queries before and after a run: kept with it, or read from its rankings."""

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from nearer.artifact.atomic import new_file, write_text
from nearer.errors import UnknownName, UsageError, did_you_mean
from nearer.evaluation.result import plain
from nearer.loop.state import FitResult
from nearer.run.door import Plan
from nearer.run.example import Example, Examples, Match
from nearer.run.picture_grid import picture_grid
from nearer.run.ranks import Ranks, all_ranks, find_ranks, name_of_evaluation, ranks_of
from nearer.run.record import RunFolder
from nearer.run.texts import Texts, read_texts

if TYPE_CHECKING:
    from nearer.run.handle import Run

LOGGER = logging.getLogger("nearer")
FILE = "examples.json"
GRID = "examples.png"
QUERIES = 5
SHOWN = 5
STAGES = ("before", "after")


def write_examples(plan: Plan, folder: RunFolder, result: FitResult) -> None:
    """Write examples.json: results of some queries of each evaluation, drawn by the run's seed.

    Where an evaluation has pictures, a grid of them lies beside it: examples.png; of a second such
    evaluation, examples.NAME.png.
    """
    points = {"before": result.history[0] if result.history else None, "after": result.kept}
    files = {(r.evaluation, r.epoch, r.step): r for r in all_ranks(folder.ranks)}
    written: dict[str, Any] = {}
    grids: dict[str, Examples] = {}
    for evaluation in plan.evaluations:
        if not evaluation.gather_examples:
            continue
        name = evaluation.prefix(plan.model_name)
        texts, drawn = Texts(evaluation.evaluation_set), None
        examples: Examples = {}
        for stage, point in points.items():
            ranks = point and files.get((name, point.epoch, point.step))
            if ranks:
                drawn = drawn or draw(ranks, evaluation.num_example_queries, plan.spec.seed)
                examples[stage] = results(ranks, drawn, SHOWN, texts)
        if len(examples) == len(points):
            written[name] = {s: [asdict(one) for one in found] for s, found in examples.items()}
            if any(texts.pictures):
                grids[name] = examples
    if written:
        said = json.dumps(written, indent=2, ensure_ascii=False)
        write_text(folder.path / FILE, said + "\n")
    for place, (name, examples) in enumerate(grids.items()):
        path = folder.path / (f"examples.{quote(name, safe='')}.png" if place else GRID)
        with new_file(path) as file:
            picture_grid(examples).save(file, "PNG")
        LOGGER.info("Examples: %s", path)


def read_examples(
    run: "Run",
    queries: Sequence[str] | None = None,
    k: int | None = None,
    evaluation: str | None = None,
) -> Examples:
    """Results of chosen queries, or of those that the run drew; see `Run.example_results`."""
    if k is not None and k < 1:
        raise UsageError(f"k: {k}; must be at least 1")
    if queries is None and evaluation is None and not run.evaluations:
        return {stage: [] for stage in STAGES}
    name = name_of_evaluation(run, evaluation)
    kept = _kept(run, name)
    shown = SHOWN if k is None else k
    if queries is None and kept and shown <= SHOWN:
        return {s: [_cut(one, shown) for one in found] for s, found in kept.items()}
    sides = {stage: _at(run, stage, name) for stage in STAGES}
    there = sides["after"] or sides["before"] or ranks_of(run, name)[-1]
    texts = read_texts(run.record, name, there.facts())
    if queries is not None:
        ids = _chosen(queries, there, texts)
    elif kept:
        ids = [one.query for one in kept["after"]]
    else:
        ids = draw(there, QUERIES, run.record["spec"].get("seed", 42))
    return {s: results(ranks, ids, shown, texts) if ranks else [] for s, ranks in sides.items()}


def draw(ranks: Ranks, count: int, seed: int) -> list[str]:
    """Draw queries of a ranking, in its order; the same seed draws the same ones."""
    ids = ranks.read("query")["query"]
    rows = sorted(random.Random(seed).sample(range(len(ids)), min(count, len(ids))))
    drawn: list[str] = ids.take(pa.array(rows, pa.int64())).to_pylist()
    return drawn


def results(ranks: Ranks, queries: Sequence[str], k: int, texts: Texts) -> list[Example]:
    """The best documents of some queries.

    Args:
        ranks: The ranking.
        queries: Ids of queries in it.
        k: Most documents a query.
        texts: What the ids stand for.
    """
    table = ranks.read("query", "hits", "first_relevant")
    rows = pc.index_in(pa.array(queries, pa.large_string()), value_set=plain(table["query"]))
    found = table.take(rows).to_pylist()
    examples = []
    of_queries, of_documents = texts.pictures
    labels = texts.query_labels(queries)
    for row, text, label in zip(found, texts.queries(queries), labels, strict=True):
        ids = row["hits"][:k]
        marks: Sequence[bool | None] | None = texts.relevant(row["query"], ids)
        if marks is None:  # only the first is known; what stands above it is not relevant
            first = row["first_relevant"] or len(row["hits"]) + 1
            marks = [None if rank > first else rank == first for rank in range(1, len(ids) + 1)]
        is_picture = [of_documents] * len(ids)
        found_here = ids, texts.documents(ids), marks, texts.document_labels(ids), is_picture
        matches = tuple(map(Match, *found_here))
        examples.append(Example(row["query"], text, matches, label, of_queries))
    return examples


def by_text(examples: Examples) -> dict[str, dict[str, list[str]]]:
    """Examples as texts alone: {"before": {query: [document, …]}, "after": …}.

    Of two queries with one text the second is named with its id.
    """
    plain_: dict[str, dict[str, list[str]]] = {}
    for stage, found in examples.items():
        texts = plain_[stage] = {}
        for one in found:
            key = one.text if one.text not in texts else f"{one.text} ({one.query})"
            texts[key] = [match.text for match in one.matches]
    return plain_


def _kept(run: "Run", evaluation: str) -> Examples:
    try:
        said = json.loads((run.folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    if evaluation not in said:
        return {}
    return {stage: [_example(one) for one in said[evaluation][stage]] for stage in STAGES}


def _example(said: dict[str, Any]) -> Example:
    return Example(**{**said, "matches": tuple(Match(**m) for m in said["matches"])})


def _cut(one: Example, k: int) -> Example:
    return replace(one, matches=one.matches[:k])


def _at(run: "Run", stage: str, evaluation: str) -> Ranks | None:
    try:
        return find_ranks(run, stage, evaluation)
    except UnknownName:  # one that passes over points may not have been at this one
        return None


def _chosen(queries: Sequence[str], ranks: Ranks, texts: Texts) -> list[str]:
    """Ids of the queries that a user names by id or by text."""
    known = plain(ranks.read("query")["query"])
    is_id = pc.is_in(pa.array(queries, pa.large_string()), value_set=known).to_pylist()
    chosen = [
        query if there else by
        for query, there, by in zip(queries, is_id, texts.query_ids(queries), strict=True)
    ]
    for query, found in zip(queries, chosen, strict=True):
        if found is None:
            where = "" if texts else "; the evaluation's data can't be read, so give its id"
            raise UnknownName(
                f'"{query}" is neither the id nor the text of a query of "{ranks.evaluation}"'
                f"{where}.{did_you_mean(query, known.to_pylist()[:MOST_GUESSED])}"
            )
    return [found for found in chosen if found is not None]


MOST_GUESSED = 10_000
"""Most ids that are looked through for one that was meant."""
