"""`nearer fit`: options from a spec file and the command line, one call, one result."""

import json as jsonlib
import sys
from dataclasses import field, fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from nearer.cli.output import print_metrics
from nearer.errors import Interrupted
from nearer.importing import quick_imports
from nearer.run.spec import RunSpec
from nearer.run.spec_file import read_spec_file

if TYPE_CHECKING:
    from nearer.run.handle import Run

ONLY_PYTHON = ("callbacks", "prepare")
"""Options that are objects; callbacks are written in a spec file."""


def _option(name: str) -> tuple[str, Any, Any]:
    """One option of the command line; its value stays text, so that the spec checks all at once."""
    info = RunSpec.model_fields[name]
    default = info.default
    shown = "" if info.is_required() or default in (None, (), {}, False) else f" [{default}]"
    is_flag = info.annotation is bool and not info.default  # what is on by default takes a value
    annotation: Any = bool if is_flag else str
    help_text = f"{info.description}{shown}"
    return name, Annotated[annotation | None, Parameter(help=help_text)], field(default=None)


FitOptions = make_dataclass(
    "FitOptions",
    [_option(name) for name in RunSpec.model_fields if name not in ONLY_PYTHON],
    frozen=True,
    namespace={"__module__": __name__},
)
NONE_GIVEN = FitOptions()
Detach = Annotated[bool, Parameter(help="Run in the background; print the name and return.")]


def fit(
    spec: Path | None = None,
    /,
    *,
    options: Annotated[FitOptions, Parameter(name="*")] = NONE_GIVEN,  # type: ignore[valid-type]
    detach: Detach = False,
    json: Annotated[bool, Parameter(help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Fine-tune a model on your own data; options override those of the spec file.

    Args:
        spec: A TOML file with the same options, and with callbacks.
    """
    given = {} if spec is None else read_spec_file(spec)
    for option in fields(FitOptions):
        value = getattr(options, option.name)
        if value is not None:
            given[option.name] = value
    return execute_and_print(given, json, detach)


def execute_and_print(given: dict[str, Any], json: bool, detach: bool = False) -> int:
    """Run what some options describe, and print its result, also where a signal ended it."""
    if detach:
        from nearer.cli.detached import start

        return start(given, json)
    with quick_imports():
        from nearer.run.execute import execute
    from nearer.run.launch import is_main

    try:
        run = execute(given)
    except Interrupted as error:
        if is_main() and error.run is not None:  # else nothing was trained yet
            _print_result(error.run, json)
        raise
    if is_main():
        _print_result(run, json)
    return 0


def _print_result(run: "Run", json: bool) -> None:
    result = run.result()
    if json:
        print(jsonlib.dumps(result, ensure_ascii=False))
    else:
        print_metrics(result["metrics"], sys.stdout)
        print(f"run: {run.name}\nartifact: {result['artifact']}")
