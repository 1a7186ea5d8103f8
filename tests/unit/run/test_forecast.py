"""What is said before the first step: lengths as they are, and what it costs to hold them."""

import json
from pathlib import Path

import pytest
from support.toy import batch_of

import nearer
from nearer.encoder.loading import load_encoder
from nearer.loop.state import FitConfig
from nearer.run.forecast import Forecast, forecast

ROWS = [("red hat", "the best red hat"), ("blue", "a blue coat for the winter and the rain")] * 4


class Source:
    """The same batch again and again."""

    def __len__(self) -> int:
        return 3

    def epoch(self, number: int):
        yield from [batch_of(ROWS)] * 3


def test_lengths_and_padding_are_those_of_the_rows(tiny_bert):
    encoder = load_encoder(tiny_bert)
    found = forecast(encoder, Source(), FitConfig())
    lengths = {
        side: encoder.prepare(list(texts), side).lengths
        for side, texts in zip(("query", "document"), zip(*ROWS, strict=True), strict=True)
    }
    real = sum(int(own.sum()) for own in lengths.values())
    longest = sum(len(own) * int(own.max()) for own in lengths.values())
    assert (found.batches, found.tokens) == (3, real)
    assert found.padding_to_longest == pytest.approx(1 - real / longest, abs=1e-4)
    assert 0 <= found.padding <= found.padding_to_longest
    assert found.seconds_per_epoch == pytest.approx(3 * found.seconds_per_step, rel=0.2)


def test_a_batch_that_does_not_fit_is_said_to_take_two_passes(tiny_bert):
    encoder = load_encoder(tiny_bert)
    roomy = forecast(encoder, Source(), FitConfig(training_memory="1GiB"))
    tight = forecast(encoder, Source(), FitConfig(training_memory="60KB"))
    assert (roomy.passes, tight.passes) == (1, 2)
    assert tight.graph_tokens < roomy.graph_tokens
    assert tight.memory < roomy.memory
    assert "a step in 2 passes" in tight.line()
    again = forecast(encoder, Source(), FitConfig(graph_tokens=tight.graph_tokens))
    assert (again.passes, again.graph_tokens) == (2, tight.graph_tokens)  # as a resume takes it


def test_padding_is_said_where_texts_are_padded(tiny_bert: Path, tmp_path: Path):
    rows = [{"query": "hat " * (1 + i % 6), "document": "coat " * (1 + i)} for i in range(16)]
    options = {"model": tiny_bert, "train_data": rows, "runs_dir": tmp_path, "epochs": 1}

    def of(**more):
        return nearer.fit(**options, **more).record["forecast"]

    packed, padded, frozen = of(), of(packing=False), of(freeze=1)
    assert (packed["packed"], padded["packed"], frozen["packed"]) == (True, False, False)
    assert packed["padding"] == 0 < padded["padding"] == frozen["padding"]


def test_in_two_passes_the_memory_is_that_of_the_largest_micro_batch(tiny_bert):
    encoder = load_encoder(tiny_bert)
    whole = forecast(encoder, Source(), FitConfig())
    one_row = forecast(encoder, Source(), FitConfig(micro_batch=1))
    assert (whole.passes, one_row.passes) == (1, 2)
    weights = 4 * sum(p.nbytes for p in encoder.module.parameters())
    lengths = [encoder.prepare([text], "query").lengths[0] for row in ROWS for text in row]
    share = (one_row.memory - weights) / (whole.memory - weights)
    assert share == pytest.approx(max(lengths) / sum(lengths), rel=0.05)


def test_a_run_says_and_records_it(tiny_bert: Path, toy_files, tmp_path: Path, capsys):
    run = nearer.fit(model=tiny_bert, **toy_files, runs_dir=tmp_path, epochs=1, batch_size=8)
    recorded = json.loads((run.folder / "run.json").read_text())["forecast"]
    assert recorded["batches"] == 4
    assert Forecast(**recorded).line() in (run.folder / "log.txt").read_text()
    plain = nearer.fit(
        model=tiny_bert,
        **toy_files,
        runs_dir=tmp_path,
        epochs=1,
        batch_size=8,
        callbacks=[],
        training_memory="1GiB",
    )
    # What is tried before the first step changes nothing that training depends on.
    assert run.metrics()["after"] == plain.metrics()["after"]


def test_long_times_are_said_in_words():
    line = Forecast(9, 90, 2.0, 0.1, 0.5, 1, 10, False, 10, 3700.0, 61.0, 1).line(cached=True)
    assert "about 1 h 1 min a step, about 1 min 1 s an epoch of 9 batches at first, then" in line
