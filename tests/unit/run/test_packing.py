"""Nested tensors and plain values, as JSON and tensors and back."""

import json
import math

import numpy as np
import pytest
import torch

from nearer.errors import NearerError
from nearer.loop.state import StopKind
from nearer.run.packing import pack, unpack
from nearer.run.verify import differences


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        0.1 + 0.2,
        math.nan,
        math.inf,
        -0.0,
        "text ~ 😀",
        [],
        {},
        (1, (2.5, None)),
        {0: {"step": torch.tensor(3.0)}, "a": [torch.ones(2, 3, dtype=torch.bfloat16)]},
        {"~tensor": "mine", "~tuple": [1]},
        {"a/b": torch.ones(1), "a": {"b": torch.zeros(1)}},
        torch.zeros(0),
        {"": {"": torch.ones(1)}},
    ],
)
def test_there_and_back(value):
    values, tensors = pack(value)
    back = unpack(json.loads(json.dumps(values)), tensors)
    assert type(back) is type(value)
    assert list(differences(back, value)) == []


def test_numbers_of_numpy_and_enums_become_what_they_are():
    values, _ = pack({"a": np.float64(0.5), "b": np.int64(2), "c": StopKind.PATIENCE, "d": [True]})
    assert values == {"a": 0.5, "b": 2, "c": "patience", "d": [True]}
    assert [type(v) for v in values.values()] == [float, int, str, list]


def test_what_is_neither_is_named_with_its_place():
    with pytest.raises(NearerError, match=r"callbacks/0/state/seen is a set; a checkpoint holds"):
        pack({"callbacks": [{"state": {"seen": {1}}}]})
