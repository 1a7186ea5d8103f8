"""Faults in the options of a loss, as lines of a SpecError. Knows no loss."""

import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from inspect import Parameter
from typing import Any

from nearer.errors import SpecError
from nearer.losses.names import hint


def parameters_of(cls: type) -> dict[str, Parameter]:
    """What a class takes by name, through every base that its `**kwargs` is handed on to."""
    found: dict[str, Parameter] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        own = list(inspect.signature(base.__init__).parameters.values())[1:]  # type: ignore[misc]
        for parameter in own:
            if parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
                found.setdefault(parameter.name, parameter)
        if all(parameter.kind is not Parameter.VAR_KEYWORD for parameter in own):
            break
    return found


def option_faults(
    what: str, takes: Mapping[str, Parameter], options: Mapping[str, Any]
) -> list[str]:
    """Unknown options, missing ones, and values that are no number where the default is one."""
    listed = f"it takes {', '.join(takes)}" if takes else "it takes none"
    faults = [
        f'{what} has no option "{name}"; {listed}.{hint(name, takes)}'
        for name in options
        if name not in takes
    ]
    for name, parameter in takes.items():
        if name not in options:
            if parameter.default is Parameter.empty:
                faults.append(f"{what} needs the option {name}; {listed}")
        elif not _same_sort(options[name], parameter.default):
            sort = "true or false" if isinstance(parameter.default, bool) else "a number"
            faults.append(
                f"{what}: {name} must be {sort} (default {parameter.default}), "
                f"not {options[name]!r}"
            )
    return faults


def above_zero(what: str, name: str, value: float) -> list[str]:
    """A fault unless the value is a number above 0."""
    fine = _is_number(value) and math.isfinite(value) and value > 0
    return [] if fine else [f"{what}: {name} must be a number above 0, not {value!r}"]


def finite(what: str, name: str, value: float) -> list[str]:
    """A fault unless the value is a number, and not infinite."""
    fine = _is_number(value) and math.isfinite(value)
    return [] if fine else [f"{what}: {name} must be a finite number, not {value!r}"]


def one_of(what: str, name: str, value: str, choices: Sequence[str]) -> list[str]:
    """A fault unless the value is one of the choices."""
    if value in choices:
        return []
    return [
        f'{what}: {name} must be {" or ".join(choices)}, not "{value}".{hint(str(value), choices)}'
    ]


def refuse(faults: Iterable[str]) -> None:
    """Raise SpecError if there is any fault."""
    listed = list(faults)
    if listed:
        raise SpecError(listed)


def _same_sort(value: Any, default: Any) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    return not _is_number(default) or _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
