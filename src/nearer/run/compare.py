"""Comparing two points of a run, or two runs, from the rankings that they kept."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nearer.errors import DataError, UnknownName, UsageError, did_you_mean
from nearer.evaluation.bootstrap import RESAMPLES
from nearer.evaluation.comparing import compare_ranks
from nearer.evaluation.comparison import Comparison
from nearer.evaluation.metrics import METRICS
from nearer.evaluation.result import plain
from nearer.run.ranks import Point, Ranks, find_ranks, name_of_evaluation, ranks_of
from nearer.run.texts import Texts, read_texts

if TYPE_CHECKING:
    from nearer.run.handle import Run

DEFAULT_METRIC = "ndcg_at_k"


def compare(
    run_a: "Run",
    run_b: "Run",
    *,
    epoch_a: Point = "after",
    epoch_b: Point = "after",
    metric: str | None = None,
    evaluation: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two runs query by query: what did b win, what did it lose, and is it chance?

    Queries are matched by id; those that only one side has are left out and counted. The two may
    have searched different indexes, which `notes` of the result then says.

    Args:
        run_a: A run.
        run_b: The other one, or the same at another epoch (`run.compare` does that).
        epoch_a: "after", the point whose weights the run kept; "before", the model as it came; an
            epoch, its last evaluation if it has several; or "step150".
        epoch_b: The same for b.
        metric: What to compare by, such as "ndcg_at_k" or "ndcg@10"; default nDCG.
        evaluation: Name of the evaluation, the prefix of its metrics; default: the first of a that
            b has too, or the first of each.
        resamples: Draws of the bootstrap.
        seed: Of the draws.

    Returns:
        Means, the bootstrap interval of their difference, queries won, lost and tied, and the
        documents that moved.

    Raises:
        UnknownName: No such evaluation, epoch or metric; says which there are.
        UsageError: The metric was taken at different limits, or by different definitions.
        DataError: No query in common, or queries of one id with different texts.

    Example:
        >>> a, b = nearer.get_run("first"), nearer.get_run("second")  # doctest: +SKIP
        >>> print(nearer.compare(a, b))  # doctest: +SKIP
    """
    name = evaluation or _shared(run_a, run_b)
    sides = find_ranks(run_a, epoch_a, name), find_ranks(run_b, epoch_b, name)
    facts = sides[0].facts(), sides[1].facts()
    chosen = _metric(metric, sides, facts)
    _same_measure(chosen, facts)
    there = [set(side.columns()) for side in sides]
    kept = [name for name in ("content", "relevant") if all(name in names for names in there)]
    a, b = (side.read("query", "hits", chosen, *kept) for side in sides)
    notes = _differing_data(a, b, facts)
    known = METRICS[chosen].direction if chosen in METRICS else "max"
    limits = [f.get("limit") or _longest(table) for f, table in zip(facts, (a, b), strict=True)]
    compared = compare_ranks(
        a,
        b,
        chosen,
        min(limits),
        direction=facts[0].get("metrics", {}).get(chosen, known),
        notes=notes,
        labels=_labels(run_a, run_b, sides),
        resamples=resamples,
        seed=seed,
    )
    same = sides[0].evaluation == sides[1].evaluation
    return replace(compared, metric=f"{sides[0].evaluation}_{chosen}") if same else compared


def texts_of(run_a: "Run", run_b: "Run", evaluation: str | None = None) -> Texts:
    """The texts behind a comparison's ids, where the evaluation data of b can still be read.

    Args:
        run_a: What was compared.
        run_b: With what.
        evaluation: As for `compare`.
    """
    name = name_of_evaluation(run_b, evaluation or _shared(run_a, run_b))
    return read_texts(run_b.record, name, ranks_of(run_b, name)[-1].facts())


def _shared(run_a: "Run", run_b: "Run") -> str | None:
    """The first evaluation of a that b has too; where there is none, each has its own first."""
    theirs = run_b.evaluations
    return next((name for name in run_a.evaluations if name in theirs), None)


def _metric(
    asked: str | None, sides: tuple[Ranks, Ranks], facts: tuple[dict[str, Any], ...]
) -> str:
    """The bare name of the metric: both sides have to have it."""
    known = [
        set(f["metrics"]) if "metrics" in f else set(METRICS) & set(side.columns())
        for side, f in zip(sides, facts, strict=True)
    ]
    both = sorted(known[0] & known[1])
    if asked is None:
        if not both:
            raise UnknownName("the two evaluations have no metric in common")
        return DEFAULT_METRIC if DEFAULT_METRIC in both else both[0]
    bare = asked
    for side in sides:
        bare = bare.removeprefix(f"{side.evaluation}_")
    if bare not in both:
        where = "one of the sides" if any(bare in names for names in known) else "either side"
        raise UnknownName(
            f'there is no metric "{asked}" on {where}; to compare by there are {", ".join(both)}.'
            f"{did_you_mean(bare, both)}"
        )
    return bare


def _labels(run_a: "Run", run_b: "Run", sides: tuple[Ranks, Ranks]) -> tuple[str, str]:
    """What tells the sides apart: the run where there are two, the step where epochs are equal."""
    names = [run.name for run in (run_a, run_b)]
    if names[0] == names[1]:
        names = [f"{run.experiment}/{run.name}" for run in (run_a, run_b)]
    same_run = run_a.folder == run_b.folder
    same_epoch = same_run and sides[0].epoch == sides[1].epoch
    a, b = (
        ("" if same_run else f"{name} ")
        + f"epoch {side.epoch}"
        + (f" step {side.step}" if same_epoch else "")
        for name, side in zip(names, sides, strict=True)
    )
    return a, b


def _same_measure(metric: str, facts: tuple[dict[str, Any], ...]) -> None:
    definitions = [f.get("definitions") for f in facts]
    if None not in definitions and definitions[0] != definitions[1]:
        raise UsageError(
            f'"{metric}" of a is by the definitions "{definitions[0]}", of b by '
            f'"{definitions[1]}"; evaluate both by the same'
        )
    limits = [f.get("limit") for f in facts]
    of_limit = "@" not in metric and (metric not in METRICS or METRICS[metric].takes_cutoff)
    if of_limit and None not in limits and limits[0] != limits[1]:
        raise UsageError(
            f'"{metric}" of a is taken at limit {limits[0]}, of b at limit {limits[1]}; compare by '
            "a metric at a cutoff that both have, such as ndcg@10, or evaluate both at one limit"
        )


def _differing_data(a: pa.Table, b: pa.Table, facts: tuple[dict[str, Any], ...]) -> tuple[str, ...]:
    """What differs in the data of two evaluations, in sentences.

    Raises:
        DataError: A query of one side is another one under the same id on the other.
    """
    notes = []
    rows_b = pc.index_in(plain(a["query"]), value_set=plain(b["query"]))
    rows_a = pc.indices_nonzero(rows_b.is_valid())
    rows_b = rows_b.drop_null()
    if "content" in a.column_names and len(rows_a):
        differs = pc.not_equal(a["content"].take(rows_a), b["content"].take(rows_b))
        wrong = np.flatnonzero(differs.fill_null(False).to_numpy())
        if len(wrong):
            first = a["query"][rows_a[int(wrong[0])].as_py()].as_py()
            raise DataError(
                f"{len(wrong):,} of {len(rows_a):,} queries have other texts on the two sides, the "
                f'first: "{first}"; an id has to stand for the same query in both'
            )
    fingerprints = [f.get("index_fingerprint") for f in facts]
    if None not in fingerprints and fingerprints[0] != fingerprints[1]:
        sizes = " and ".join(f"{f['index_size']:,}" for f in facts)
        notes.append(
            f"the two searched different indexes ({sizes} documents); what differs may come of that"
        )
    if "relevant" in a.column_names:
        counts = [t["relevant"].take(rows).to_numpy() for t, rows in ((a, rows_a), (b, rows_b))]
        differing = int((counts[0] != counts[1]).sum())
        if differing:
            notes.append(
                f"{differing:,} queries have another number of relevant documents on the two "
                "sides; the judgments differ, or the index does"
            )
    return tuple(notes)


def _longest(table: pa.Table) -> int:
    return int(pc.max(pc.list_value_length(table["hits"])).as_py() or 1)
