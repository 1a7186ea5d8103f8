"""What a run is, as its checkpoints say it: whether one fits what is asked now. Reads no file."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from nearer.loop.world import World
from nearer.run.door import Plan
from nearer.run.record import environment
from nearer.run.spec import PATHS, STOPPING, RunSpec
from nearer.run.spec_json import data_facts, spec_to_json

MAY_CHANGE = {
    *PATHS,  # what is in the files is compared
    *("name", "experiment", "runs_dir", "resume", "verify", "epochs", "patience"),
    *("checkpoint_every", "push", "memory_budget", "training_memory"),
}
"""Options that may be others at a resume; all else makes another run."""

DECIDE_BITS = ("nearer", "torch", "transformers", "sentence-transformers")


def facts_of(plan: Plan, device: torch.device, precision: str, world: World) -> dict[str, Any]:
    """What a run has to be for a checkpoint of it to fit."""
    versions = environment()["versions"]
    return {
        "data": data_facts(plan),
        "spec": spec_to_json(plan.spec),
        "versions": {name: versions[name] for name in DECIDE_BITS if name in versions},
        "device": device.type,
        "precision": precision,
        "threads": torch.get_num_threads(),
        "processes": world.size,
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What makes it another run: options and data that are not those that it began with."""
    for name in sorted({*before["spec"], *now["spec"]} - MAY_CHANGE):
        was, new = (_option(facts["spec"], name) for facts in (before, now))
        if was != new:
            yield (
                f"{name}: was {_short(was)}, is {_short(new)}; a run goes on with the options "
                "that it began with: leave it out, or start a new run"
            )
    if _stops(before["spec"]) != _stops(now["spec"]):
        yield (
            "patience: would add or take away an EarlyStopping, which knows nothing of the points "
            "so far; leave it as it was, or start a new run"
        )
    for name in sorted({*before["data"], *now["data"]}):
        was, new = (_content(facts["data"].get(name)) for facts in (before, now))
        if was != new:
            parts = [key for key in {**was, **new} if was.get(key) != new.get(key)]
            yield (
                f"{name} data: not the data that the run began with ({', '.join(parts)}); put it "
                "back as it was, or start a new run"
            )


def remarks(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not as it was, though the run can go on."""
    said = []
    facts = [
        {**one["versions"], **{k: one[k] for k in ("device", "precision", "threads", "processes")}}
        for one in (before, now)
    ]
    changed = [
        f"{name} was {facts[0].get(name)}, is {facts[1].get(name)}"
        for name in sorted({*facts[0], *facts[1]})
        if facts[0].get(name) != facts[1].get(name)
    ]
    if changed:
        said.append(
            f"{'; '.join(changed)}: from here on the run is statistically the same, not bit for bit"
        )
    epochs = [_option(one["spec"], "epochs") for one in (before, now)]
    if epochs[0] != epochs[1]:
        said.append(
            f"epochs was {epochs[0]}, is {epochs[1]}: from here on the learning rates are those of "
            f"{epochs[1]} epochs"
        )
    return said


def _option(spec: Mapping[str, Any], name: str) -> Any:
    """The value of an option, as JSON has it; patience may change wherever it stands."""
    value = json.loads(json.dumps(spec.get(name, RunSpec.model_fields[name].default)))
    if name == "callbacks":
        return [
            {k: v for k, v in one.items() if k != "patience"} if isinstance(one, dict) else one
            for one in value
        ]
    return value


def _stops(spec: Mapping[str, Any]) -> bool:
    return any(spec.get(name) is not None for name in STOPPING)


def _content(facts: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is in some data, wherever it lies."""
    return {key: value for key, value in (facts or {}).items() if key != "source"}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
