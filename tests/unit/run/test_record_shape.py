"""A run.json that was damaged or is none is named, with the value that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.makers import RECORD

from nearer.errors import NearerError
from nearer.run.record import RunFolder
from nearer.run.record_shape import check_record, read_points

PATH = Path("run.json")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"status": "bored"}, "status"),
        ({"status": ["finished"]}, "status"),
        ({"stop_reason": "done"}, "stop_reason"),
        ({"stop_reason": {"kind": "boredom", "detail": ""}}, "stop_reason"),
        ({"stop_reason": {"kind": "completed"}}, "stop_reason"),
        ({"created": None}, "created"),
        ({"spec": []}, "spec"),
        ({"process": 3}, "process"),
        ({"metrics": {"before": {}}}, "metrics"),
        ({"kept": {"epoch": "1", "step": 2}}, "kept"),
        ({"data": ["a"]}, "data"),
    ],
)
def test_a_value_that_is_wrong_is_named(change: dict[str, Any], name: str) -> None:
    with pytest.raises(NearerError) as caught:
        check_record({**RECORD, **change}, PATH)
    says = f'run.json has no proper value for "{name}"; mend it, or delete the folder of the run'
    assert str(caught.value) == says


@pytest.mark.parametrize("values", [None, 3, [], {}, {"name": "a"}])
def test_what_is_no_record(values: Any) -> None:
    with pytest.raises(NearerError, match=r"run\.json is not the record of a run"):
        check_record(values, PATH)


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert check_record({**RECORD, "mood": "good"}, PATH)["mood"] == "good"


@pytest.mark.parametrize(
    "line", ["{", "3", "{}", '{"epoch": 1, "step": 2}', '{"epoch": "1", "step": 2, "metrics": {}}']
)
def test_a_line_that_is_no_point_is_named(line: str) -> None:
    good = '{"epoch": 0, "step": 0, "metrics": {"a": null}, "seconds": 1}\n'
    with pytest.raises(NearerError, match=r"metrics\.jsonl, line 2: no evaluation point"):
        read_points(f"{good}{line}\n", Path("metrics.jsonl"))
    assert len(read_points(f"{good}{line}", Path("metrics.jsonl"))) == 1  # its end is missing


def test_a_path_that_is_not_utf_8_can_be_recorded(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write({**RECORD, "spec": {"train_data": "caf\udce9.csv"}})
    assert folder.read()["spec"] == {"train_data": "caf\udce9.csv"}
    assert json.loads(folder.record.read_text())["status"] == "finished"
