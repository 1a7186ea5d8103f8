"""Which runs may split their model, as far as their options say."""

import pytest
from sentence_transformers import SentenceTransformer
from torch import nn

from nearer.errors import SpecError
from nearer.run.shardable import check_shard
from nearer.run.spec import parse

GIVEN = {"model": "minilm", "train_data": "train.csv", "shard": True}


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_one_process_has_nothing_to_split_among():
    with pytest.raises(SpecError, match=r"shard: there is one process.*torchrun") as caught:
        check_shard(parse(GIVEN))
    assert "leave shard out" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": nn.Linear(1, 1)}, "shard: needs the name or the folder of a model"),
        ({"model": SentenceTransformer(modules=[nn.Identity()])}, "not a model in memory"),
        ({"compile": True}, "shard: not together with compile"),
        ({"precision": "fp16"}, "shard: precision fp16 is not there; take bf16 or fp32"),
        ({"optimizer": "Adafactor"}, "shard: Adafactor cannot take weights that are split"),
        ({"optimizer": "Rprop"}, "shard: Rprop cannot take"),
    ],
)
def test_what_cannot_be_split_is_said_with_the_way_out(two, options, said):
    with pytest.raises(SpecError, match=said):
        check_shard(parse(GIVEN | options))


def test_all_faults_come_at_once(two):
    with pytest.raises(SpecError) as caught:
        check_shard(parse(GIVEN | {"compile": True, "precision": "fp16"}))
    assert len(caught.value.faults) == 2


def test_a_run_that_can_be_split_passes(two):
    check_shard(parse(GIVEN))
    towers = {"query_model": "minilm", "index_model": "minilm", "output_dim": 8}
    check_shard(parse({k: v for k, v in GIVEN.items() if k != "model"} | towers))
