"""Tables of the guides: examples are what the rule decides, names are names that are there."""

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_args

import pytest
from sentence_transformers import (
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer import evaluation, losses
from sentence_transformers.sentence_transformer.training_args import BatchSamplers

import nearer
from nearer.callbacks.monitor import Rule, decide
from nearer.cli.main import make_app
from nearer.encoder.catalog import CATALOG
from nearer.evaluation.metric import METRICS
from nearer.losses.names import METRIC_LEARNING, OURS
from nearer.run.record import Status
from nearer.run.spec import RunSpec

DOCS = Path(__file__).parents[1] / "docs"
OUR_NAMES = {
    *RunSpec.model_fields,
    *nearer.__all__,
    *OURS,
    *METRIC_LEARNING,
    *METRICS,
    *(entry.name for entry in CATALOG),
    *get_args(Status),
    "SentenceTransformer",
    "nn.Module",
}


def tables(name: str, *headings: str) -> list[list[str]]:
    """Rows of the tables of a page, as cells; only of tables whose first heading is given."""
    found, taken = [], False
    before = ""
    for line in (DOCS / name).read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if set(line) <= set("|- ") and "|" in line:
            taken = not headings or re.split(r"(?<!\\)\|", before)[1].strip() in headings
        elif not cells:
            taken = False
        elif taken:
            found.append(cells)
        before = line
    return found


def code(cell: str) -> list[str]:
    """What stands in code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


STOPPING = tables("early-stopping.md", "values")


@pytest.mark.parametrize("row", STOPPING, ids=[row[0] for row in STOPPING])
def test_examples_of_early_stopping_are_what_the_rule_decides(row: list[str]) -> None:
    values, options, stops, best, _ = row
    given = {k: ast.literal_eval(v) for k, v in (o.split("=") for o in code(options))}
    expected = (None if stops == "never" else int(stops), int(best))
    assert decide(map(float, values.split()), Rule("max", **given)) == expected


def test_there_are_examples_of_early_stopping() -> None:
    assert len(STOPPING) > 10


THEIRS = {
    "`SentenceTransformerTrainingArguments`": {
        f.name for f in dataclasses.fields(SentenceTransformerTrainingArguments)
    },
    "`SentenceTransformerTrainer`": set(inspect.signature(SentenceTransformerTrainer).parameters),
    "`BatchSamplers`": set(BatchSamplers.__members__),
    "sentence-transformers": {*vars(losses), *vars(evaluation)},
}


@pytest.mark.parametrize("heading", THEIRS)
def test_names_of_sentence_transformers_are_there(heading: str) -> None:
    names = {
        name for row in tables("from-sentence-transformers.md", heading) for name in code(row[0])
    }
    assert names
    assert names <= THEIRS[heading]


def test_no_loss_of_sentence_transformers_is_passed_over() -> None:
    named = {n for row in tables("from-sentence-transformers.md") for n in code(row[0])}
    there = {n for n in vars(losses) if n.endswith("Loss")}
    assert there <= named


@pytest.mark.parametrize("page", ["from-finetuner.md", "from-sentence-transformers.md"])
def test_names_that_a_guide_gives_for_others_are_ours(page: str) -> None:
    app = make_app()
    for row in tables(page):
        for name in code(row[1]):
            word = re.split(r"[=( ]", name)[0]
            owner, _, member = word.partition(".")
            if name.startswith("nearer "):
                words = [w for w in name.split()[1:] if not w.startswith("-")]
                command = app
                for one in words:
                    command = command[one]
            elif owner == "nearer":
                assert member in nearer.__all__, name
            elif owner == "run":
                assert hasattr(nearer.Run, member), name
            elif not re.search(r"[/,]|^bert-base-", name):  # hub ids; columns of a file
                assert word in OUR_NAMES, name
