"""Callbacks by name: from a spec to objects, and from objects to what run.json says of them."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import nearer.callbacks as shipped
from nearer.errors import SpecError, UnknownName, did_you_mean
from nearer.loop.callback import Callback
from nearer.loop.events import Event
from nearer.run.faults import EVALUATION
from nearer.run.spec import STOPPING


def callback_names() -> list[str]:
    """The callbacks that come with nearer."""
    return sorted(name for name in shipped.__all__ if issubclass(getattr(shipped, name), Callback))


def build_callback(described: Callback | Mapping[str, Any]) -> Callback:
    """Build a callback from its description; an object is taken as it is.

    Args:
        described: `{"name": "EarlyStopping", "patience": 2}`; the name of one of the user's own is
            `package.module:Class`.

    Raises:
        UnknownName: There is no such callback; lists those there are.
        SpecError: It does not take one of the options.
    """
    if isinstance(described, Callback):
        return described
    if not isinstance(described, Mapping) or not isinstance(described.get("name"), str):
        raise SpecError(
            [
                f"callbacks: {described!r} is neither a Callback nor a name with options, "
                '{"name": "EarlyStopping", "patience": 2}'
            ]
        )
    options = {key: value for key, value in described.items() if key != "name"}
    # "name" is both the callback's and an option of EvaluationCallback; the latter is written
    # "evaluation_name" in a spec.
    if "evaluation_name" in options:
        options["name"] = options.pop("evaluation_name")
    cls = _class(described["name"])
    parameters = inspect.signature(cls).parameters.values()
    takes = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)  # and says itself what is wrong
    wrong = [name for name in options if name not in takes and not takes_any]
    if wrong:
        raise SpecError(
            [
                f'{cls.__name__} has no option "{name}"; it takes {", ".join(takes)}.'
                f"{did_you_mean(name, takes)}"
                for name in wrong
            ]
        )
    try:
        inspect.signature(cls).bind(**options)
    except TypeError as error:
        raise SpecError([f"{cls.__name__}: {error}"]) from error
    try:
        return cls(**options)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise SpecError([f"{cls.__name__} cannot be built with {given}: {error}"]) from error


def describe_callback(callback: Callback) -> dict[str, Any]:
    """What run.json says of a callback: its name, and its arguments where it keeps them.

    Every shipped callback keeps each argument under the argument's own name (a test holds them to
    it), so that its description builds the same callback again.
    """
    cls = type(callback)
    name = cls.__name__ if cls.__name__ in shipped.__all__ else f"{cls.__module__}:{cls.__name__}"
    kept = vars(callback)
    options = {n: kept[n] for n in inspect.signature(cls).parameters if n in kept}
    if "name" in options:
        options["evaluation_name"] = options.pop("name")
    return {"name": name, **options}


def _class(name: str) -> type[Callback]:
    if ":" not in name:
        if name not in callback_names():
            names = callback_names()
            raise UnknownName(
                f'no callback "{name}"; there are {", ".join(names)}; one of your own is '
                f"package.module:Class.{did_you_mean(name, names)}"
            )
        found: type[Callback] = getattr(shipped, name)
        return found
    module, _, attribute = name.partition(":")
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the user's module does when it is imported
        said = str(error) or type(error).__name__
        raise UnknownName(
            f'callback "{name}" cannot be imported: {said}. Write package.module:Class, of a '
            "module that Python finds."
        ) from error
    if not (inspect.isclass(cls) and issubclass(cls, Callback)):
        raise UnknownName(
            f'"{name}" is not a Callback; name a class that derives from nearer.Callback'
        )
    return cls


def callbacks_heard(options: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """For each event, the callbacks of a spec that listen; of all shipped ones without a spec."""
    if options is None:
        classes = [getattr(shipped, name) for name in callback_names()]
        classes.remove(shipped.LambdaCallback)  # hears whatever it is given a function for
    else:
        classes = [_class(described["name"]) for described in options.get("callbacks", [])]
        if any(name in options for name in EVALUATION):
            classes.append(shipped.EvaluationCallback)
        if any(name in options for name in STOPPING):
            classes.append(shipped.EarlyStopping)
        classes.append(shipped.ProgressBar)
    return {
        event.value: [
            cls.__name__
            for cls in classes
            if getattr(cls, event.value) is not getattr(Callback, event.value)
        ]
        for event in Event
    }
