"""The loop with a real encoder and a real loss: the order of events, and what each may do."""

import math

import pytest
import torch
from support.faults import Boom, FailAt, signal_at
from support.recorder import Recorder, Values
from support.tiny import Letters
from support.toy import ListLoss, ToyBatches, same, toy_encoder, toy_fit, weights_of
from torch import nn

from nearer.callbacks import BestModelCheckpoint, EarlyStopping, EvaluationCallback, LambdaCallback
from nearer.errors import (
    Interrupted,
    MetricNotReported,
    NearerError,
    NonFiniteLoss,
    SpecError,
    UnknownName,
)
from nearer.loop.events import Event
from nearer.loop.state import StopKind
from nearer.losses.sigmoid import SigLIP

TWO_EPOCHS = [
    # event, epoch, step, batch
    ("on_fit_begin", 0, 0, 0),
    ("on_val_begin", 0, 0, 0),
    ("on_val_batch_end", 0, 0, 1),
    ("on_val_end", 0, 0, 1),
    ("on_evaluate", 0, 0, 0),
    ("on_metrics", 0, 0, 0),
    ("on_epoch_begin", 1, 0, 0),
    ("on_train_batch_begin", 1, 0, 0),
    ("on_train_batch_end", 1, 1, 1),
    ("on_train_batch_begin", 1, 1, 1),
    ("on_train_batch_end", 1, 2, 2),
    ("on_val_begin", 1, 2, 0),
    ("on_val_batch_end", 1, 2, 1),
    ("on_val_end", 1, 2, 1),
    ("on_evaluate", 1, 2, 2),
    ("on_metrics", 1, 2, 2),
    ("on_epoch_end", 1, 2, 2),
    ("on_epoch_begin", 2, 2, 0),
    ("on_train_batch_begin", 2, 2, 0),
    ("on_train_batch_end", 2, 3, 1),
    ("on_train_batch_begin", 2, 3, 1),
    ("on_train_batch_end", 2, 4, 2),
    ("on_val_begin", 2, 4, 0),
    ("on_val_batch_end", 2, 4, 1),
    ("on_val_end", 2, 4, 1),
    ("on_evaluate", 2, 4, 2),
    ("on_metrics", 2, 4, 2),
    ("on_epoch_end", 2, 4, 2),
    ("on_fit_end", 2, 4, 2),
    ("on_weights_chosen", 2, 4, 2),
    ("on_close", 2, 4, 2),
]


def test_the_events_of_two_epochs_with_validation():
    recorder = Recorder()
    toy_fit(recorder, val=ToyBatches(3, 4))
    assert recorder.heard == TWO_EPOCHS


def test_without_held_out_rows_there_are_no_validation_events():
    recorder = Recorder()
    toy_fit(recorder)
    assert recorder.heard == [h for h in TWO_EPOCHS if not h[0].startswith("on_val")]


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        ("epoch", [0, 2, 4, 6]),
        (1, [0, 1, 2, 3, 4, 5, 6]),
        (2, [0, 2, 4, 6]),
        (3, [0, 3, 6]),
        (4, [0, 4, 6]),  # the end of the fit is always an evaluation point, other epochs' are not
        (100, [0, 6]),
    ],
)
def test_where_the_evaluation_points_lie(every, steps):
    result = toy_fit(epochs=3, evaluate_every=every)
    assert [point.step for point in result.history] == steps


def test_a_point_within_an_epoch_leaves_the_progress_as_it_was():
    recorder = Recorder()
    toy_fit(recorder, val=ToyBatches(3, 4), evaluate_every=1, epochs=1)
    after_first = recorder.heard[recorder.heard.index(("on_train_batch_end", 1, 1, 1)) :]
    assert after_first[:7] == [
        ("on_train_batch_end", 1, 1, 1),
        ("on_val_begin", 1, 1, 0),
        ("on_val_batch_end", 1, 1, 1),
        ("on_val_end", 1, 1, 1),
        ("on_evaluate", 1, 1, 1),
        ("on_metrics", 1, 1, 1),
        ("on_train_batch_begin", 1, 1, 1),
    ]


def test_the_result_of_a_fit_that_runs_to_its_end():
    result = toy_fit(epochs=3)
    assert (result.epochs_run, result.steps) == (3, 6)
    assert result.stop_reason.kind is StopKind.COMPLETED
    assert result.stop_reason.detail == "all 3 epochs are done"
    assert result.kept == result.history[-1]


def test_a_fit_learns():
    result = toy_fit(epochs=8)
    losses = [point.metrics["train_loss"] for point in result.history[1:]]
    assert losses[-1] < losses[0] / 2


# --- stopping


@pytest.mark.parametrize(
    ("event", "trained"),
    [
        ("on_fit_begin", 0),
        ("on_evaluate", 0),
        ("on_metrics", 0),
        ("on_train_batch_begin", 1),
        ("on_train_batch_end", 1),
        ("on_epoch_end", 2),
    ],
)
def test_T46_a_stop_is_obeyed_after_the_current_step_not_at_the_epochs_end(event, trained):
    recorder = Recorder()
    stop = LambdaCallback(**{event: lambda ctx: ctx.request_stop("enough")})
    result = toy_fit(stop, recorder)
    assert result.steps == trained
    assert (result.stop_reason.kind, result.stop_reason.detail) == (StopKind.REQUESTED, "enough")
    assert recorder.events[-3:] == ["on_fit_end", "on_weights_chosen", "on_close"]
    assert result.history[-1].step == trained  # where it stopped is evaluated


def test_T46_within_an_epoch_the_epoch_is_closed_but_does_not_count():
    recorder = Recorder()
    stop = LambdaCallback(on_train_batch_end=lambda ctx: ctx.step == 3 and ctx.request_stop("now"))
    result = toy_fit(stop, recorder, epochs=4)
    assert recorder.heard[-7:] == [
        ("on_train_batch_end", 2, 3, 1),
        ("on_evaluate", 2, 3, 1),
        ("on_metrics", 2, 3, 1),
        ("on_epoch_end", 2, 3, 1),
        ("on_fit_end", 2, 3, 1),
        ("on_weights_chosen", 2, 3, 1),
        ("on_close", 2, 3, 1),
    ]
    assert result.epochs_run == 1


def test_a_stop_at_the_last_step_of_an_epoch_counts_the_epoch():
    stop = LambdaCallback(on_train_batch_end=lambda ctx: ctx.step == 2 and ctx.request_stop("now"))
    assert toy_fit(stop, epochs=4).epochs_run == 1


def test_the_first_reason_wins():
    callbacks = [
        LambdaCallback(on_epoch_end=lambda ctx, r=reason: ctx.request_stop(r))
        for reason in ("first", "second")
    ]
    assert toy_fit(*callbacks).stop_reason.detail == "first"


# --- the numbers


def test_T29_losses_are_means_over_rows_not_over_batches():
    # Batches of 4 and 3 rows: epoch 0 has one validation batch of 4 and one of 1 row.
    loss = ListLoss([10.0, 20.0, 1.0, 2.0, 30.0, 40.0])
    result = toy_fit(loss=loss, val=ToyBatches(5, 4), epochs=1)
    assert result.history[0].metrics == {"val_loss": pytest.approx((10 * 4 + 20) / 5)}
    assert result.history[1].metrics == {
        "train_loss": pytest.approx((1 * 4 + 2 * 3) / 7),
        "val_loss": pytest.approx((30 * 4 + 40) / 5),
    }


def test_train_loss_is_that_since_the_last_point():
    result = toy_fit(loss=ListLoss([1.0, 2.0, 3.0, 4.0]), evaluate_every=1)
    assert [p.metrics["train_loss"] for p in result.history[1:]] == [1, 2, 3, 4]


def test_losses_at_batch_ends():
    heard = []
    listen = LambdaCallback(
        on_train_batch_end=lambda ctx: heard.append((ctx.batch_loss, ctx.batch_rows)),
        on_val_batch_end=lambda ctx: heard.append(("val", ctx.batch_loss, ctx.batch_rows)),
        on_val_end=lambda ctx: heard.append(ctx.val_loss),
        on_evaluate=lambda ctx: heard.append(ctx.batch_loss),
    )
    toy_fit(listen, loss=ListLoss([5.0, 1.0, 2.0, 6.0]), val=ToyBatches(2, 4), epochs=1)
    assert heard == [("val", 5, 2), 5, None, (1, 4), (2, 3), ("val", 6, 2), 6, 2]


def test_metrics_of_all_producers_are_complete_in_on_metrics_whoever_comes_first():
    seen = []
    listen = LambdaCallback(on_metrics=lambda ctx: seen.append(dict(ctx.metrics)))
    toy_fit(Values([1, 2], "a"), listen, Values([3, 4], "b"), epochs=1)
    assert [{k: m[k] for k in ("a", "b")} for m in seen] == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]


class Wobbly(Letters):
    """Letters with dropout and batch statistics: what differs between the modes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dropout = nn.BatchNorm1d(26), nn.Dropout(0.5)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return super().forward(self.dropout(self.norm(batch)))


def test_a_seed_gives_the_same_weights_bit_for_bit():
    first, second, other = (toy_encoder(module=Wobbly()) for _ in range(3))
    for encoder in (second, other):
        encoder.module.load_state_dict(first.module.state_dict())
    toy_fit(encoder=first, seed=7)
    torch.rand(5)  # whatever was drawn before makes no difference
    toy_fit(encoder=second, seed=7)
    toy_fit(encoder=other, seed=8)
    assert same(weights_of(first), weights_of(second))
    assert not same(weights_of(first), weights_of(other))


def test_evaluating_changes_no_weights_and_draws_no_numbers():
    plain, watched = toy_encoder(module=Wobbly()), toy_encoder(module=Wobbly())
    watched.module.load_state_dict(plain.module.state_dict())
    toy_fit(encoder=plain)
    rows = [{"id": "1", "text": "red hat", "label": "a"}, {"id": "2", "text": "hat", "label": "a"}]
    toy_fit(EvaluationCallback(rows, limit=1), encoder=watched, val=ToyBatches(3, 2))
    assert same(weights_of(plain), weights_of(watched))


def test_shared_embeddings_are_those_of_the_weights_as_they_are():
    from nearer.encoder.embedding import encode

    items, seen = ["red hat", "blue coat"], []

    def compare(ctx):
        shared = ctx.encode(ctx.encoder, items, "query")
        seen.append((shared == encode(ctx.encoder, items, "query")).all())

    def put_back(ctx):
        compare(ctx)
        ctx.load_weights({name: value * 0 for name, value in ctx.weights().items()})
        compare(ctx)

    events = ("on_train_batch_end", "on_evaluate", "on_metrics", "on_epoch_end")
    toy_fit(LambdaCallback(**dict.fromkeys(events, compare), on_fit_end=put_back))
    assert len(seen) == 14
    assert all(seen)


def test_evaluations_of_one_point_share_a_pass():
    items, passes = ["red hat", "blue coat", "wool"], []
    encoder = toy_encoder()
    encoder.module.register_forward_hook(lambda module, given, out: passes.append(len(out)))
    share = LambdaCallback(
        on_evaluate=lambda ctx: ctx.encode(ctx.encoder, items, "query") is None or None
    )
    toy_fit(share, share, encoder=encoder, train=ToyBatches(8, 8), epochs=1)
    assert passes.count(3) == 2  # one for each point, epoch 0 included


# --- modes


def modes(ctx):
    return {module.training for module in ctx.encoder.module.modules()}


def test_T9_evaluation_in_eval_mode_training_in_train_mode():
    seen = {}

    def note(event):
        return lambda ctx: seen.setdefault(event, set()).update(modes(ctx))

    events = ("on_val_batch_end", "on_evaluate", "on_train_batch_end", "on_epoch_end")
    encoder = toy_encoder(module=Wobbly())
    listen = LambdaCallback(**{event: note(event) for event in events})
    toy_fit(listen, encoder=encoder, val=ToyBatches(3, 4))
    assert seen["on_val_batch_end"] == seen["on_evaluate"] == {False}
    assert seen["on_train_batch_end"] == seen["on_epoch_end"] == {True}
    assert modes_of(encoder) == {False}  # ready to be used


def test_T10_what_is_trained_on_is_prepared_as_what_is_evaluated():
    """Each word as the module was given it, in training and in an evaluation: the same numbers."""
    given = {True: {}, False: {}}

    class Notes(Letters):
        def forward(self, batch):
            for row in batch:
                given[self.training].setdefault(tuple(row.tolist()), 0)
            return super().forward(batch)

    def look(ctx):
        for side in ("query", "document"):
            texts = {
                item for batch in ToyBatches().epoch(1) for c in batch.columns for item in c.items
            }
            ctx.encode(ctx.encoder, sorted(texts), side)

    toy_fit(LambdaCallback(on_evaluate=look), encoder=toy_encoder(module=Notes()))
    assert len(given[True]) > 5
    assert set(given[True]) <= set(given[False])


def modes_of(encoder):
    return {module.training for module in encoder.module.modules()}


def test_T9_evaluation_is_the_same_twice_and_leaves_batch_statistics_alone():
    encoder, seen = toy_encoder(module=Wobbly()), []

    def look(ctx):
        before = weights_of(encoder)
        batch = encoder.module.prepare(["red hat", "blue coat"])
        with torch.no_grad():
            seen.append(torch.equal(encoder.module(batch), encoder.module(batch)))
        seen.append(same(before, weights_of(encoder)))

    toy_fit(LambdaCallback(on_evaluate=look), encoder=encoder)
    assert seen == [True] * 6


def test_modes_are_given_back_when_an_evaluation_fails():
    class Look(FailAt):
        def on_exception(self, ctx, error):
            self.modes = modes(ctx)

    look = Look("on_evaluate", epoch=1)
    with pytest.raises(Boom):
        toy_fit(look)
    assert look.modes == {True}


def test_what_is_frozen_as_a_whole_stays_in_eval_mode():
    encoder = toy_encoder(module=Wobbly())
    encoder.module.norm.requires_grad_(False)
    before, seen = weights_of(encoder), []
    listen = LambdaCallback(
        on_train_batch_end=lambda ctx: seen.append(
            (encoder.module.norm.training, encoder.module.dropout.training)
        )
    )
    toy_fit(listen, encoder=encoder)
    assert set(seen) == {(False, True)}
    after = weights_of(encoder)
    assert all(torch.equal(before[k], after[k]) for k in before if k.startswith("norm"))
    assert not torch.equal(before["linear.weight"], after["linear.weight"])


# --- what a callback may not do


READ_ONLY = (
    "config encoder declared epoch batch batches val_batches step batch_loss batch_rows val_loss "
    "learning_rates metrics point history stop_reason"
).split()


def test_the_context_is_read_only():
    from nearer.loop.context import Context

    properties = {n for n, v in vars(Context).items() if isinstance(v, property)}
    assert set(READ_ONLY) <= properties
    seen = []

    def try_all(ctx):
        for name in sorted(properties):
            with pytest.raises(AttributeError):
                setattr(ctx, name, getattr(ctx, name))
            seen.append(name)
        with pytest.raises(AttributeError):
            ctx.something_new = 1
        with pytest.raises(TypeError):
            ctx.metrics["train_loss"] = 0.0
        with pytest.raises(TypeError):
            ctx.point.metrics["train_loss"] = 0.0
        for frozen, name in ((ctx.point, "epoch"), (ctx.config, "epochs")):
            with pytest.raises(AttributeError):
                setattr(frozen, name, 9)
        assert isinstance(ctx.history, tuple)
        assert isinstance(ctx.learning_rates, tuple)
        assert isinstance(ctx.declared, tuple)

    toy_fit(LambdaCallback(on_epoch_end=try_all), epochs=1)
    assert seen == sorted(properties)


ALLOWED = {Event.FIT_BEGIN, Event.FIT_END, Event.WEIGHTS_CHOSEN}


@pytest.mark.parametrize("event", [e for e in Event if e is not Event.EXCEPTION])
def test_weights_may_be_loaded_only_at_the_beginning_and_the_end(event):
    callback = LambdaCallback(**{event.value: lambda ctx: ctx.load_weights(ctx.weights())})
    if event in ALLOWED:
        toy_fit(callback, val=ToyBatches(3))
    else:
        with pytest.raises(NearerError, match=f"weights were changed in {event.value}; they may"):
            toy_fit(callback, val=ToyBatches(3))


def test_weights_may_not_be_loaded_after_an_error():
    load = LambdaCallback(on_exception=lambda ctx, error: ctx.load_weights(ctx.weights()))
    with pytest.raises(Boom) as caught:
        toy_fit(load, FailAt("on_epoch_end"))
    (note,) = [n for n in caught.value.__notes__ if "failed too" in n]
    assert "weights were changed in on_exception" in note


# --- the best is handed back


@pytest.mark.parametrize("keeper", [EarlyStopping, BestModelCheckpoint])
def test_a_run_that_made_the_model_worse_hands_it_back_as_it_came(keeper):
    encoder = toy_encoder()
    before = weights_of(encoder)
    result = toy_fit(keeper("score"), Values([0.9, 0.5, 0.4, 0.3]), encoder=encoder, epochs=3)
    assert same(weights_of(encoder), before)
    assert result.kept == result.history[0]
    assert result.kept.epoch == 0


def test_keep_last_hands_back_the_last():
    encoder, last = toy_encoder(), []
    note = LambdaCallback(on_epoch_end=lambda ctx: last.append(ctx.weights()))
    values = Values([0.9, 0.5, 0.4])
    result = toy_fit(EarlyStopping("score"), values, note, encoder=encoder, keep="last")
    assert same(weights_of(encoder), last[-1])
    assert result.kept == result.history[-1]


def test_epoch_0_is_no_candidate_with_a_fresh_head():
    torch.manual_seed(0)
    encoder = toy_encoder(module=nn.Sequential(Letters(), nn.Linear(8, 4)))
    encoder.head = True
    seen = []
    listen = LambdaCallback(on_evaluate=lambda ctx: seen.append(ctx.encoder is encoder))
    result = toy_fit(
        EarlyStopping("score"),
        Values([0.9, 0.1, 0.2]),
        listen,
        encoder=encoder,
        fresh_head=True,
    )
    assert [p.candidate for p in result.history] == [False, True, True]
    assert seen == [False, True, True]
    assert result.kept.epoch == 2


# --- a signal


def interrupted(*callbacks, **options):
    with pytest.raises(Interrupted) as caught:
        toy_fit(*callbacks, **options)
    return caught.value


def test_a_signal_ends_the_fit_gracefully():
    encoder, recorder, weights = toy_encoder(), Recorder(), []
    note = LambdaCallback(on_metrics=lambda ctx: weights.append(ctx.weights()))
    error = interrupted(
        EarlyStopping("score"),
        Values([0.1, 0.9, 0.5, 0.4]),
        note,
        recorder,
        encoder=encoder,
        signal=signal_at(5, "SIGTERM"),
        epochs=9,
    )
    assert recorder.heard[-4:] == [
        ("on_train_batch_begin", 3, 4, 0),
        ("on_train_batch_end", 3, 5, 1),  # the step was finished
        ("on_exception", 3, 5, 1),
        ("on_close", 3, 5, 1),
    ]
    assert recorder.errors == [error]
    assert (error.signal_name, error.exit_code) == ("SIGTERM", 143)
    result = error.result
    assert (result.steps, result.epochs_run, result.kept.epoch) == (5, 2, 1)
    assert result.stop_reason.kind is StopKind.INTERRUPTED
    assert result.stop_reason.detail == "SIGTERM at epoch 3"
    assert same(weights_of(encoder), weights[1])
    assert modes_of(encoder) == {False}
    assert not hasattr(error, "__notes__")  # nobody's fault


def test_T33_after_a_signal_every_callback_is_closed_and_the_best_restored():
    keepers = [BestModelCheckpoint("score"), EarlyStopping("score")]
    for keeper in keepers:
        encoder, recorders = toy_encoder(), [Recorder(), Recorder()]
        before = weights_of(encoder)
        values = Values([0.9, 0.1, 0.1])
        interrupted(
            recorders[0], keeper, values, recorders[1], encoder=encoder, signal=signal_at(3)
        )
        assert same(weights_of(encoder), before)
        for recorder in recorders:
            assert recorder.events[-2:] == ["on_exception", "on_close"]
            assert recorder.events.count("on_close") == 1
            assert "on_fit_end" not in recorder.events


def test_T33_a_KeyboardInterrupt_itself_reaches_everybody_too():
    recorder = Recorder()
    with pytest.raises(KeyboardInterrupt):
        toy_fit(recorder, FailAt("on_train_batch_end", KeyboardInterrupt()))
    assert recorder.events[-2:] == ["on_exception", "on_close"]


def test_a_signal_is_obeyed_within_a_long_evaluation_and_within_validation():
    class Long(Recorder):
        def on_evaluate(self, ctx):
            with ctx.track("Embedding index", 100) as advance:
                advance(50)
                raise AssertionError("went on")

    error = interrupted(Long(), signal=signal_at(1))
    assert error.result.history == ()
    recorder = Recorder()
    error = interrupted(recorder, val=ToyBatches(5, 2), signal=signal_at(2))
    assert recorder.events.count("on_val_batch_end") == 2
    assert error.result.kept is None


def test_a_signal_before_anything_was_judged_changes_no_weights():
    """A callback's state of an earlier fit must not leak into a fit that is cut short early."""
    stopping, encoder = EarlyStopping("score"), toy_encoder()

    def long(ctx):
        with ctx.track("Reading", 1) as advance:
            advance(1)

    start = LambdaCallback(on_fit_begin=long)
    error = interrupted(start, stopping, Values([]), signal=signal_at(1))
    assert not hasattr(error, "__notes__")
    toy_fit(stopping, Values([0.9, 0.1, 0.1]), encoder=encoder)
    fresh = toy_encoder(seed=3)
    before = weights_of(fresh)
    error = interrupted(start, stopping, Values([]), encoder=fresh, signal=signal_at(1))
    assert error.result.kept is None
    assert same(weights_of(fresh), before)


def test_track_shows_what_is_done():
    from contextlib import contextmanager

    said = []

    @contextmanager
    def track(description, total):
        said.append((description, total))
        yield said.append

    def work(ctx):
        with ctx.track("Matching", 3) as advance:
            advance(2)

    toy_fit(LambdaCallback(on_fit_begin=work), track=track, epochs=1)
    assert said == [("Matching", 3), 2]


# --- errors


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_names_the_rows(value):
    encoder, recorder, weights = toy_encoder(), Recorder(), []
    note = LambdaCallback(on_train_batch_begin=lambda ctx: weights.append(ctx.weights()))
    with pytest.raises(NonFiniteLoss, match=rf"is {value}; its rows are 4, 5, 6\. A lower"):
        toy_fit(recorder, note, encoder=encoder, loss=ListLoss([1.0, value]))
    assert same(weights_of(encoder), weights[-1])  # no step was taken
    assert recorder.events[-2:] == ["on_exception", "on_close"]


def test_of_many_rows_twenty_are_named():
    with pytest.raises(NonFiniteLoss, match=r" 18, 19, … \(30 in all\)"):
        toy_fit(loss=ListLoss([math.nan]), train=ToyBatches(30, 30))


@pytest.mark.parametrize(
    ("callbacks", "options", "error"),
    [
        ([EarlyStopping("val_loss")], {}, MetricNotReported),
        ([Values([1]), Values([2])], {}, SpecError),
        ([], {"optimizer": "Adamm"}, UnknownName),
        ([], {"scheduler": "cosin"}, UnknownName),
        ([], {"optimizer_options": {"beta": 1}}, SpecError),
    ],
)
def test_wrong_names_are_found_before_anything_happens(callbacks, options, error):
    encoder, recorder = toy_encoder(), Recorder()
    before = weights_of(encoder)
    with pytest.raises(error):
        toy_fit(*callbacks, recorder, encoder=encoder, **options)
    assert recorder.heard == []
    assert same(weights_of(encoder), before)


def test_T22_val_loss_without_held_out_rows_is_refused_not_silently_waited_for():
    for watcher in (EarlyStopping(), EarlyStopping("val_loss"), BestModelCheckpoint()):
        with pytest.raises(MetricNotReported, match="give eval_data or val_split"):
            toy_fit(watcher)


def test_T25_nothing_of_a_fit_is_left_for_the_next():
    stopping, values = EarlyStopping("score", patience=1), Values([0.9, 0.1, 0.8, 0.9])
    for _ in range(2):
        result = toy_fit(stopping, values, epochs=3)
        assert (result.epochs_run, result.kept.epoch) == (1, 0)
    values.values = [0.1, 0.2, 0.3, 0.4]  # each below the best of the fit before
    result = toy_fit(stopping, values, epochs=3)
    assert (result.epochs_run, result.kept.epoch) == (3, 3)


@pytest.mark.parametrize("order", [1, -1], ids=["stopping last", "stopping first"])
def test_T26_the_order_of_the_callbacks_makes_no_difference(order):
    callbacks = [Values([0.5, 0.6, 0.55, 0.5, 0.9]), EarlyStopping("score", patience=2)][::order]
    result = toy_fit(*callbacks, epochs=4)
    assert (result.epochs_run, result.kept.epoch) == (3, 1)


def test_T41_no_number_of_epochs_is_replaced_by_another():
    """The spec refuses 0; the loop takes it at its word."""
    result = toy_fit(epochs=0)
    assert (result.epochs_run, result.steps, len(result.history)) == (0, 0, 1)


def test_what_the_loss_learned_is_told_at_every_point_but_the_first(caplog):
    with caplog.at_level("INFO", "nearer"):
        toy_fit(loss=SigLIP())
    told = [m for m in caplog.messages if m.startswith("Learned by the loss: temperature 0.")]
    assert len(told) == 2
    assert told[0] != told[1]
