"""What several processes agree on; the others' answers are given."""

import pytest
from support.recorder import Recorder
from support.toy import toy_encoder, toy_fit

from nearer.errors import Interrupted
from nearer.loop.callback import Callback
from nearer.loop.consent import Together, agree
from nearer.loop.notebook import LoopState
from nearer.loop.state import FitConfig, StopKind, StopReason
from nearer.loop.world import World

THEIRS = StopReason(StopKind.REQUESTED, "theirs")
OURS = StopReason(StopKind.PATIENCE, "ours")


class Two(World):
    """This process is the second of two; the first one's values are given."""

    rank, size = 1, 2

    def __init__(self, *theirs):
        self.theirs = theirs

    def first(self, *values):
        return [t if t is not None else v for t, v in zip(self.theirs, values, strict=True)]


def state(world, signal=None):
    return LoopState(toy_encoder(), FitConfig(), 1, world=world, signal=lambda: signal)


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [(None, None, None), (THEIRS, None, THEIRS), (None, OURS, OURS), (THEIRS, OURS, THEIRS)],
)
def test_the_first_process_with_a_reason_gives_it(theirs, ours, expected):
    here = state(Two(None, theirs))
    here.stop_reason = ours
    agree(here)
    assert here.stop_reason == expected
    assert here.is_last is (expected is not None)


def test_a_stop_that_was_not_agreed_on_is_not_the_last_point_yet():
    here = state(Two(None, None))
    here.stop_reason = OURS
    assert not here.is_last
    agree(here)
    assert here.is_last


def test_a_signal_to_another_process_ends_this_one_too():
    here = state(Two("SIGTERM", None))
    with pytest.raises(Interrupted, match="SIGTERM"):
        agree(here, signals=True)
    assert here.stop_reason.kind is StopKind.INTERRUPTED


def test_an_evaluation_is_cut_where_the_signal_came_and_ends_where_all_agree():
    here = Together(state(Two(None, None), signal="SIGINT"))
    assert (here.rank, here.size) == (1, 2)
    assert here.cut()
    with pytest.raises(Interrupted):
        here.obey()
    alone = Together(state(World(), signal="SIGINT"))
    assert not alone.cut()  # progress itself obeys there
    alone.obey()


class Everywhere(Recorder):
    every_process = True


def test_callbacks_are_called_in_the_first_process_unless_they_say_otherwise():
    encoder_here, only_first, everywhere = toy_encoder(), Recorder(), Everywhere()
    from support.toy import ToyBatches

    from nearer.loop.fit import fit
    from nearer.losses.contrastive import InfoNCE

    class Second(Two):
        def broadcast(self, value):
            return value

    world = Second(None, None)
    world.gather = lambda local, shares: local.repeat(2, 1, 1)[: sum(map(len, shares))]
    config = FitConfig(epochs=1, warmup=0.0)
    fit(
        encoder_here,
        InfoNCE(),
        ToyBatches(8),
        config=config,
        world=world,
        callbacks=[only_first, everywhere],
    )
    assert only_first.events == []
    assert everywhere.events[0] == "on_fit_begin"
    assert "on_train_batch_end" in everywhere.events


def test_alone_a_callback_is_called_whatever_it_says():
    recorder = Recorder()
    toy_fit(recorder, epochs=1)
    assert recorder.events[-1] == "on_close"
    assert Callback.every_process is False
