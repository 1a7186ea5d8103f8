"""Whether a checkpoint fits what is asked now: what is refused, what is only said."""

import pytest

from nearer.run.facts import changes, remarks


def facts(**changed):
    found = {
        "data": {"train": {"source": "a.csv", "rows": 3, "fingerprint": "f"}},
        "spec": {"model": "minilm", "train_data": "a.csv", "learning_rate": 0.1},
        "versions": {"torch": "2.13"},
        "device": "cpu",
        "precision": "fp32",
        "threads": 2,
        "processes": 1,
    }
    return {**found, **changed}


def spec(**changed):
    return facts(spec={**facts()["spec"], **changed})


@pytest.mark.parametrize(
    "now",
    [
        facts(),
        spec(train_data="b.csv", runs_dir="elsewhere"),
        spec(epochs=9, checkpoint_every="epoch", training_memory="1GiB"),
        spec(batch_size=64, cutoffs=[]),  # the default, said
        facts(data={"train": {"source": "b.csv", "rows": 3, "fingerprint": "f"}}),
        facts(versions={"torch": "3"}, device="cuda", precision="bf16", threads=8, processes=2),
    ],
)
def test_what_may_be_otherwise(now):
    assert list(changes(facts(), now)) == []


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (spec(learning_rate=0.2), "learning_rate: was 0.1, is 0.2; a run goes on with"),
        (spec(batch_size=8), "batch_size: was 64, is 8"),
        (spec(callbacks=[{"name": "CSVLogger"}]), "callbacks: was [], is [{"),
        (
            facts(data={"train": {"source": "a.csv", "rows": 4, "fingerprint": "g"}}),
            "train data: not the data that the run began with (rows, fingerprint)",
        ),
        (facts(data={}), "train data: not the data"),
    ],
)
def test_what_may_not(now, says):
    (line,) = changes(facts(), now)
    assert says in line


def test_patience_may_change_wherever_it_stands():
    one, other = (
        spec(callbacks=[{"name": "EarlyStopping", "patience": patience, "min_delta": 0.1}])
        for patience in (2, 5)
    )
    assert list(changes(one, other)) == []
    assert list(changes(spec(patience=2), spec(patience=5))) == []
    assert list(changes(spec(min_delta=0.1), spec(min_delta=0.1, patience=5))) == []
    (line,) = changes(facts(), spec(patience=5))
    assert line.startswith("patience: would add or take away an EarlyStopping")
    third = spec(callbacks=[{"name": "EarlyStopping", "patience": 2, "min_delta": 0.2}])
    assert len(list(changes(one, third))) == 1


def test_what_is_said():
    assert remarks(facts(), facts()) == []
    (line,) = remarks(facts(), facts(threads=8, versions={"torch": "3"}))
    assert line.startswith("threads was 2, is 8; torch was 2.13, is 3: from here on the run is")
    (line,) = remarks(facts(), spec(epochs=9))
    assert line == "epochs was 5, is 9: from here on the learning rates are those of 9 epochs"
