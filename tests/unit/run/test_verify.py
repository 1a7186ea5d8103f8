"""Where two nested values differ."""

import math

import pytest
import torch

from nearer.run.verify import differences


@pytest.mark.parametrize(
    ("one", "other", "places"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, []),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ["a/1/b"]),
        ({"a": 1}, {"b": 1}, [""]),
        ([1], [1, 2], [""]),
        ((1,), [1], [""]),
        (math.nan, math.nan, []),
        (torch.tensor([math.nan]), torch.tensor([math.nan]), []),
        (torch.tensor(0.0), torch.tensor(-0.0), [""]),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), [""]),
        (torch.ones(2), torch.ones(2, 1), [""]),
        (torch.ones(1), None, [""]),
        (torch.zeros(0), torch.zeros(0), []),
    ],
)
def test_places(one, other, places):
    assert list(differences(one, other)) == places
