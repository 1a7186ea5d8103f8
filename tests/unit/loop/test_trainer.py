"""The step: when it takes two passes, what it leaves behind, and when the schedule moves."""

import pytest
from accelerate import Accelerator
from support.toy import ToyBatches, batch_of, same, toy_encoder, weights_of

from nearer.encoder.loading import load_encoder
from nearer.loop import trainer as module
from nearer.loop.state import FitConfig
from nearer.loop.trainer import Trainer
from nearer.losses.contrastive import InfoNCE

ROWS = [
    (f"{a} hat", f"a {a} hat for {b}") for a in ("red", "blue", "green") for b in ("rain", "snow")
]


@pytest.fixture
def passes(monkeypatch):
    """How many passes each step took."""
    taken = []
    for count, name in ((1, "one_pass"), (2, "two_passes")):
        plain = getattr(module, name)

        def way(*args, plain=plain, count=count):
            taken.append(count)
            return plain(*args)

        monkeypatch.setattr(module, name, way)
    return taken


def trainer(encoder=None, **options):
    options = {"warmup": 0.0, "epochs": 1, **options}
    return Trainer(
        encoder or toy_encoder(),
        InfoNCE(),
        ToyBatches(),
        FitConfig(**options),
        Accelerator(cpu=True),
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1]),
        ({"training_memory": "1GiB"}, [1]),
        ({"training_memory": 1}, [2]),
        ({"micro_batch": 2}, [2]),
        ({"micro_batch": 6}, [2]),
    ],
    ids=["auto", "much", "little", "micro_batch", "one a side"],
)
def test_passes_follow_from_memory_and_micro_batch(options, expected, passes):
    trainer(**options).step(batch_of(ROWS))
    assert passes == expected


def test_the_room_is_measured_once_can_be_read_and_can_be_given(passes):
    one = trainer(training_memory="1GiB")
    assert one.graph_tokens is None
    one.step(batch_of(ROWS))
    found = one.graph_tokens
    assert found > 1
    one.step(batch_of(ROWS[:2]))
    assert one.graph_tokens == found
    again = trainer(training_memory=1)
    again.graph_tokens = found
    again.step(batch_of(ROWS))
    assert again.graph_tokens == found
    assert passes == [1, 1, 1]


def test_two_passes_end_at_the_weights_of_one(tiny_bert):
    ends = []
    for memory in ("1GiB", 1):
        encoder = load_encoder(tiny_bert)
        one = trainer(encoder, training_memory=memory)
        if memory == 1:
            one.graph_tokens = 20  # less than the batch, more than a group of its own
        losses = [one.step(batch_of(ROWS)) for _ in range(3)]
        ends.append((losses, weights_of(encoder)))
    (plain, weights), (ours, others) = ends
    assert plain[0] == pytest.approx(ours[0], rel=0.2)  # other groups, so other dropout
    assert weights.keys() == others.keys()


def test_the_same_seed_gives_the_same_bits(tiny_bert):
    ends = []
    for _ in range(2):
        encoder = load_encoder(tiny_bert)
        one = trainer(encoder, training_memory=4096)
        for _ in range(2):
            one.step(batch_of(ROWS))
        ends.append(weights_of(encoder))
    assert same(*ends)


def test_after_a_step_the_model_is_as_it_was_but_for_its_weights(tiny_bert):
    encoder = load_encoder(tiny_bert)
    kinds = [(type(m), set(vars(m))) for m in encoder.module.modules()]
    trainer(encoder).step(batch_of(ROWS))
    assert [(type(m), set(vars(m))) for m in encoder.module.modules()] == kinds


def test_the_schedule_waits_for_a_step_that_was_skipped(monkeypatch):
    one = trainer(scheduler="linear", learning_rate=0.5)
    before = one.rates()
    monkeypatch.setattr(type(one.accelerator), "optimizer_step_was_skipped", True)
    one.step(batch_of(ROWS))
    assert one.rates() == before
    monkeypatch.setattr(type(one.accelerator), "optimizer_step_was_skipped", False)
    one.step(batch_of(ROWS))
    assert one.rates() < before
