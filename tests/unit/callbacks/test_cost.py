"""What an evaluation costs: the sentence, and when it is known."""

import logging
import re
from dataclasses import dataclass

import pytest
from support.toy import LABELLED, ToyBatches, toy_encoder, toy_fit

from nearer.callbacks import EvaluationCallback, LambdaCallback
from nearer.callbacks.cost import BATCHES, Cost, cost_line, interval

OUT = ". For less: query_sample_size, a larger every, or a smaller index"


@pytest.mark.parametrize(
    ("rows", "seconds", "training", "between", "says"),
    [
        (6460, 71.2, 309.5, "an epoch", "6,460 rows to encode, 71 s each time; 23 % of the time"),
        (1, 0.04, 100, "100 steps", "1 row to encode, 0.0 s each time; less than 1 % of the time"),
        (10, 5, 10, "an epoch", "10 rows to encode, 5.0 s each time; 50 % of the time"),
        (10, 5.2, 10, "an epoch", "10 rows to encode, 5.2 s each time; 52 % of the time"),
        (0, 3600, 60, "2 epochs", "0 rows to encode, 3,600 s each time; 6,000 % of the time"),
    ],
)
def test_the_sentence(rows, seconds, training, between, says):
    way_out = OUT if seconds > training / 2 else ""
    line = cost_line("mine", rows, seconds, training, between)
    assert line == f"Evaluating mine: {says} of {between}{way_out}"


@pytest.mark.parametrize(
    ("every", "evaluate_every", "says"),
    [
        (1, "epoch", "an epoch"),
        (4, "epoch", "4 epochs"),
        (1, 1, "a step"),
        (3, 500, "1,500 steps"),
    ],
)
def test_the_time_between_two_evaluations(every, evaluate_every, says):
    assert interval(every, evaluate_every) == says


@dataclass
class Result:
    encoded: int
    seconds: float = 3.0
    distinct: int = 7


class Clock:
    """Each batch takes two seconds; the first one ten."""

    def __init__(self):
        self.now, self.batches = 0.0, 0

    def __call__(self):
        return self.now

    def batch(self, cost):
        cost.begin_batch()
        self.now += 2.0 if self.batches else 10.0
        self.batches += 1
        cost.end_batch()
        self.now += 100  # an evaluation, say: no part of a batch


def cost_after(batches, clock=None):
    clock = clock or Clock()
    cost = Cost(clock)
    for _ in range(batches):
        clock.batch(cost)
    return cost


def test_the_time_of_an_epoch_is_the_median_of_the_first_batches():
    cost = cost_after(3)
    cost.take(Result(encoded=7), trained=False)
    line = cost.line("mine", 1, "epoch", batches=3)
    assert line.endswith("50 % of the time of an epoch")
    assert cost.line("mine", 1, "epoch", batches=3) is None  # said once


def test_steps_between_two_evaluations():
    cost = cost_after(BATCHES)
    cost.take(Result(encoded=7), trained=False)
    assert cost.line("mine", 2, 30, batches=99).endswith("2 % of the time of 60 steps")


@pytest.mark.parametrize(("batches", "known"), [(9, False), (10, True), (11, True)])
def test_ten_batches_are_timed_or_an_epoch(batches, known):
    cost = cost_after(batches)
    cost.take(Result(encoded=7), trained=False)
    assert (cost.line("mine", 1, "epoch", batches=50) is not None) == known
    assert cost_after(4).line("mine", 1, "epoch", batches=4) is None  # nothing was evaluated


def test_a_pass_from_a_cache_says_nothing_of_those_to_come():
    cost = cost_after(BATCHES)
    cost.take(Result(encoded=6, seconds=0.1), trained=False)
    assert cost.line("mine", 1, "epoch", batches=50) is None
    cost.take(Result(encoded=5), trained=True)  # part of the weights is frozen
    assert "5 rows to encode, 3.0 s" in cost.line("mine", 1, "epoch", batches=50)


def test_a_whole_pass_says_nothing_where_a_part_is_frozen():
    cost = cost_after(BATCHES)
    cost.take(Result(encoded=7, seconds=99), trained=False, frozen=True)
    assert cost.line("mine", 1, "epoch", batches=50) is None
    cost.take(Result(encoded=7), trained=True, frozen=True)
    assert "7 rows to encode, 3.0 s" in cost.line("mine", 1, "epoch", batches=50)


def test_a_pass_that_encodes_nothing_says_nothing_after_a_resume_either():
    cost = cost_after(BATCHES)
    cost.take(Result(encoded=0), trained=True)
    assert cost.line("mine", 1, "epoch", batches=50) is None


def test_with_a_frozen_part_the_line_waits_for_the_first_epoch(caplog):
    encoder = toy_encoder()
    next(iter(encoder.module.parameters())).requires_grad_(False)
    heard = []
    note = LambdaCallback(on_metrics=lambda ctx: heard.append((ctx.epoch, len(lines(caplog)))))
    with caplog.at_level(logging.INFO, "nearer"):
        toy_fit(EvaluationCallback(LABELLED), note, encoder=encoder, train=ToyBatches(7))
    assert heard == [(0, 0), (1, 1), (2, 1)]


def lines(caplog):
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith("Evaluating")]


def test_the_line_comes_once_for_each_evaluation_with_the_rows_that_are_distinct(caplog):
    twice = [*LABELLED, *({**row, "id": f"again {row['id']}"} for row in LABELLED)]
    apart = {"query_data": LABELLED[:4], "index_data": twice}
    heard = []
    note = LambdaCallback(
        on_train_batch_end=lambda ctx: heard.append((ctx.step, len(lines(caplog))))
    )
    with caplog.at_level(logging.INFO, "nearer"):
        toy_fit(
            EvaluationCallback(twice, name="one"),
            EvaluationCallback(**apart, name="other"),
            note,
            train=ToyBatches(7),
            epochs=3,
        )
    said = [re.match(r"Evaluating (\w+): (\d+) rows", line) for line in lines(caplog)]
    assert [found.groups() for found in said] == [("one", "10"), ("other", "4")]
    # The index of "other" is what "one" has embedded already, at every point.
    assert heard[0] == (1, 0)  # two batches an epoch: both are timed
    assert caplog.records[0].levelno == logging.INFO


def test_a_fit_that_ends_before_it_is_known_says_nothing(caplog):
    stop = LambdaCallback(on_train_batch_end=lambda ctx: ctx.request_stop("enough"))
    with caplog.at_level(logging.INFO, "nearer"):
        toy_fit(EvaluationCallback(LABELLED), stop)
    assert lines(caplog) == []


def test_one_callback_says_it_in_every_fit(caplog):
    callback = EvaluationCallback(LABELLED)
    with caplog.at_level(logging.INFO, "nearer"):
        for _ in range(2):
            toy_fit(callback, epochs=1)
    assert len(lines(caplog)) == 2
