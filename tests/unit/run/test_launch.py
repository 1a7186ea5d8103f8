"""How a run finds out that it is one of several processes, and how a fault in one ends all."""

import logging

import pytest

from nearer.errors import DataError, ProcessLost, SpecError
from nearer.loop.world import ALONE, World
from nearer.run import launch
from nearer.run.device import make_accelerator
from nearer.run.launch import is_main, on_all, processes_asked, quiet_but_first


class Two(World):
    """One of two processes; what the other says is given."""

    size = 2

    def __init__(self, rank, other=None):
        self.rank, self.other = rank, other

    def exchange(self, value):
        return [self.other, value] if self.rank else [value, self.other]


@pytest.mark.parametrize(
    ("environment", "count", "main"),
    [
        ({}, 1, True),
        ({"WORLD_SIZE": "4", "RANK": "0"}, 4, True),
        ({"WORLD_SIZE": "4", "RANK": "2"}, 4, False),
        ({"WORLD_SIZE": "1", "RANK": "0"}, 1, True),
        ({"WORLD_SIZE": "4"}, 1, True),  # a cluster's own variable, not a launcher's
        ({"WORLD_SIZE": "", "RANK": "1"}, 1, True),
    ],
)
def test_what_the_launcher_says(monkeypatch, environment, count, main):
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (processes_asked(), is_main()) == (count, main)


def refuse():
    raise DataError("train.csv: no such file")


def test_a_fault_here_is_raised_here_and_told_by_the_first_that_has_it():
    for world, told in (
        (ALONE, False),
        (Two(0, ("train.csv: no such file", 2)), False),
        (Two(1, ("train.csv: no such file", 2)), True),
        (Two(1, ("another", 2)), False),
        (Two(1), False),
    ):
        with pytest.raises(DataError) as caught:
            on_all(world, refuse)
        assert caught.value.told is told


def test_a_fault_elsewhere_ends_this_one_with_the_same_exit_code():
    with pytest.raises(ProcessLost, match="process 1 of 2 failed: no such file") as caught:
        on_all(Two(0, ("no such file", 2)), lambda: 1)
    assert caught.value.exit_code == 2
    assert caught.value.told
    assert on_all(Two(0), lambda: 1) == 1


def test_only_the_first_process_logs(caplog):
    with caplog.at_level(logging.INFO, logger="nearer"):
        for world in (ALONE, Two(0), Two(1)):
            with quiet_but_first(world):
                launch.LOGGER.info("from %s", world.rank)
        launch.LOGGER.info("after")
    assert [record.getMessage() for record in caplog.records] == ["from 0", "from 0", "after"]


@pytest.mark.parametrize("variable", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_a_launcher_does_not_split_a_model_by_itself(monkeypatch, variable):
    monkeypatch.setenv(variable, "true")
    with pytest.raises(SpecError, match="start without it, and give shard"):
        make_accelerator("cpu")
