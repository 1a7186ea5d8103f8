import shlex
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearer.run.again import command_again

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUE = st.recursive(
    TEXT | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def test_single_values_make_a_command() -> None:
    command, _ = command_again(
        {
            "name": "taken",
            "model": "minilm",
            "train_data": "/a b/t.csv",
            "learning_rate": 2e-05,
            "callbacks": [],
        }
    )
    words = shlex.split(command)
    assert words[:4] == ["nearer", "fit", "--model", "minilm"]
    assert words[4:] == ["--train-data", "/a b/t.csv", "--learning-rate", "2e-05"]


def test_callbacks_make_a_spec_file() -> None:
    spec: dict[str, Any] = {
        "model": "minilm",
        "train_data": "t.csv",
        "cutoffs": [1, 10],
        "callbacks": [{"name": "EarlyStopping", "patience": 2, "baseline": None}],
    }
    text, note = command_again(spec)
    assert "nearer fit spec.toml" in note
    assert tomllib.loads(text) == {
        **spec,
        "callbacks": [{"name": "EarlyStopping", "patience": 2}],
    }


def test_objects_are_told() -> None:
    spec = {"model": "m", "train_data": {"object": "list, 5 rows"}, "callbacks": [{"object": "x"}]}
    text, note = command_again(spec)
    assert tomllib.loads(text) == {"model": "m"}
    assert '# train_data = … was "list, 5 rows"' in text
    assert "were objects" in note


@settings(max_examples=50)
@given(VALUE.filter(lambda value: not isinstance(value, dict) or set(value) != {"object"}))
def test_any_value_comes_back_from_the_spec_file(value: Any) -> None:
    text, _ = command_again({"cutoffs": [1], "loss_options": {"it": value}})
    assert tomllib.loads(text)["loss_options"]["it"] == value


@pytest.mark.parametrize("value", ["-1", "a\nb", "ü 'quoted'"])
def test_a_command_is_quoted_for_the_shell(value: str) -> None:
    assert shlex.split(command_again({"model": value})[0]) == ["nearer", "fit", "--model", value]
