"""The public names, and one name in all three places: Python, command line, spec file."""

import inspect
from dataclasses import fields
from importlib import import_module

import pytest

import nearer
from nearer.loop.state import FitConfig
from nearer.run.spec import RunSpec

EVALUATION = (
    "query_data",
    "index_data",
    "qrels",
    "limit",
    "cutoffs",
    "distance",
    "query_sample_size",
    "memory_budget",
    "both_directions",
)
OF_A_FIT = {"every", "gather_examples", "num_example_queries"}
"""Options of an EvaluationCallback that mean nothing where a model is evaluated once."""
STOPPING = ("monitor", "patience", "min_delta")
ONLY_PYTHON = {"callbacks", "prepare"}
"""Options that are objects; the command line has no way to write them."""


def test_the_names_are_sorted_and_have_a_home():
    assert nearer.__all__ == sorted(nearer.__all__)
    assert list(nearer._HOME) == nearer.__all__
    assert dir(nearer) == nearer.__all__


@pytest.mark.parametrize("name", nearer.__all__)
def test_every_name_can_be_imported_from_its_home_and_is_documented(name):
    value = getattr(nearer, name)
    assert getattr(import_module(nearer._HOME[name]), name) is value
    assert inspect.getdoc(value)


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'finetune'"):
        _ = nearer.finetune


def test_type_checkers_see_the_same_names():
    import ast

    tree = ast.parse(inspect.getsource(nearer))
    (block,) = [
        n
        for n in tree.body
        if isinstance(n, ast.If) and isinstance(n.test, ast.Name) and n.test.id == "TYPE_CHECKING"
    ]
    seen = {a.name: i.module for i in block.body for a in i.names}
    assert seen == nearer._HOME


def test_fit_takes_what_the_spec_takes_with_the_same_defaults():
    parameters = inspect.signature(nearer.fit).parameters
    assert set(parameters) == set(RunSpec.model_fields)
    wrong = {}
    for name, parameter in parameters.items():
        assert parameter.kind is parameter.KEYWORD_ONLY
        field = RunSpec.model_fields[name]
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if parameter.default != default and not (parameter.default is None and default == {}):
            wrong[name] = parameter.default, default
    assert not wrong


def test_every_option_is_described():
    described = inspect.getdoc(nearer.fit)
    for name, field in RunSpec.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        assert f"\n    {name}: " in described, f"{name} is not in the docstring of nearer.fit"


def test_the_command_line_takes_every_option():
    from nearer.cli.fit import FitOptions

    assert {field.name for field in fields(FitOptions)} == set(RunSpec.model_fields) - ONLY_PYTHON


@pytest.mark.parametrize(
    "name", sorted({f.name for f in fields(FitConfig)} & set(RunSpec.model_fields))
)
def test_the_loop_and_the_spec_have_the_same_defaults(name):
    config, spec = FitConfig(), RunSpec.model_fields[name]
    default = spec.get_default(call_default_factory=True)
    if default is None:  # decided when the model or the data is known
        assert name in ("learning_rate", "loss_learning_rate", "keep", "micro_batch", *_empty())
    else:
        assert getattr(config, name) == default


def _empty():
    return [n for n in ("optimizer_options", "scheduler_options") if not getattr(FitConfig(), n)]


def test_the_options_of_an_evaluation_and_of_a_stop_are_those_of_their_callbacks():
    for names, callback in (
        (EVALUATION, nearer.EvaluationCallback),
        (STOPPING, nearer.EarlyStopping),
    ):
        parameters = inspect.signature(callback).parameters
        assert set(names) <= set(parameters)
        for name in names:
            default = RunSpec.model_fields[name].get_default(call_default_factory=True)
            if default is not None:
                assert parameters[name].default == default


def _commands():
    from nearer.cli.main import COMMANDS

    return COMMANDS


@pytest.mark.parametrize("command", sorted(_commands()))
def test_every_command_can_be_imported_and_is_documented(command):
    target, help_text = _commands()[command]
    module, _, attribute = target.partition(":")
    assert getattr(import_module(module), attribute) is not None
    assert help_text.endswith(".")


def test_evaluate_takes_what_the_callback_takes():
    callback = inspect.signature(nearer.EvaluationCallback).parameters
    evaluate = inspect.signature(nearer.evaluate).parameters
    assert set(callback) - set(evaluate) == OF_A_FIT
    for name, parameter in callback.items():
        if name not in OF_A_FIT and parameter.default is not parameter.empty:
            assert evaluate[name].default == parameter.default


def test_T41_zero_epochs_are_refused_not_replaced():
    from nearer.errors import SpecError
    from nearer.run.spec import parse

    with pytest.raises(SpecError, match="epochs"):
        parse({"model": "minilm", "train_data": "x.csv", "epochs": 0})
