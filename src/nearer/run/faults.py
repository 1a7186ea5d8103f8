"""What is wrong with a request, collected and put in our words: the option and the way out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nearer.errors import NearerError, SpecError, did_you_mean

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


class Faults:
    """Collects errors, so that all of them can be reported at once."""

    def __init__(self) -> None:
        self.errors: list[NearerError] = []

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep an error for later instead of letting it out."""
        try:
            yield
        except NearerError as error:
            self.errors.append(error)

    def get(self, call: Callable[[], Any]) -> Any:
        """What a call returns, or None where it failed."""
        with self.collected():
            return call()
        return None

    def add(self, *lines: str) -> None:
        """Keep faults that are not errors yet."""
        if lines:
            self.errors.append(SpecError(lines))

    def report(self) -> None:
        """Raise what was collected: one error as it is, several as one list."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            lines: list[str] = []
            for error in self.errors:
                lines += error.faults if isinstance(error, SpecError) else [str(error)]
            raise SpecError(lines)


def too_small(**numbers: tuple[Any, int]) -> list[str]:
    """Numbers that are none, or below the least that they may be, as faults; None is passed over.

    Example:
        >>> too_small(limit=(0, 1), truncate_dim=(None, 1), seed=(0, 0))
        ['limit: 0; must be at least 1']
    """
    faults = []
    for name, (value, least) in numbers.items():
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            faults.append(f"{name}: {value!r}; must be a whole number")
        elif value < least:
            faults.append(f"{name}: {value}; must be at least {least}")
    return faults


def misfits(options: dict[str, Any]) -> list[str]:
    """Options that are fine one by one but not together."""
    given = {name for name, value in options.items() if value not in (None, (), [], "")}
    towers = given & {"query_model", "index_model"}
    faults = []
    if "model" not in given and not towers:
        faults.append("model: missing; a catalog name (see `nearer models`), a hub id or a folder")
    if "model" in given and towers:
        faults.append("model: give either model, or query_model and index_model")
    if len(towers) == 1:
        faults.append("query_model and index_model go together; one of them is missing")
    freeze = options.get("freeze")
    if freeze in ("query", "index") and not towers and not _is_towers(options.get("model")):
        faults.append(f'freeze: "{freeze}" is a tower; it needs query_model and index_model')
    if "lora" in given and freeze not in (None, "query", "index"):
        faults.append("freeze: with lora all that came is frozen already; leave freeze out")
    if freeze == "backbone" and "layer_decay" in given:
        faults.append("layer_decay: freeze=backbone leaves no layer to train; give one of the two")
    if freeze == "backbone" and "output_dim" not in given:
        faults.append("freeze: backbone leaves nothing to train; add a head with output_dim")
    if "head" in given and "output_dim" not in given:
        faults.append("head: needs output_dim, the length of what it gives")
    kept = freeze in ("backbone", "index") and options.get("frozen_cache") not in (0, "0")
    if options.get("augment") and kept:
        faults.append(
            f"augment: with freeze={freeze} each picture is computed once, and would be another "
            "one at every epoch; leave augment out, or set frozen_cache=0"
        )
    if "eval_data" in given and options.get("val_split"):
        faults.append("val_split: eval_data is given already; give one of the two")
    if "query_data" not in given:
        faults += [
            f"{name}: needs query_data, the queries to evaluate with"
            for name in EVALUATION[1:]
            if name in given
        ]
    if options.get("resume") and "name" not in given:
        faults.append("resume: needs name, the run to go on with")
    if options.get("verify") and not options.get("resume"):
        faults.append("verify: needs resume; it compares on the way from an earlier checkpoint")
    return faults


def _is_towers(model: Any) -> bool:
    """Whether it is an artifact of two towers; a damaged one is told of when it is loaded."""
    from nearer.artifact.manifest import is_artifact, read_manifest  # brings torch with it

    with suppress(NearerError):
        return is_artifact(model) and read_manifest(Path(model)).kind == "towers"
    return False


UNIONS = {
    "evaluate_every": "must be epoch, or a number of steps of at least 1",
    "augment": "must be true, false, or crop=…,flip=…,colour=…",
    "freeze": "must be backbone, query, index, or a number of layers",
}
WORDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dict_type": "must be names with values",
    "bool_parsing": "must be true or false",
}


def fault_line(found: dict[str, Any], descriptions: Mapping[str, str]) -> str:
    """What pydantic found, as one line in our words."""
    place = str(found["loc"][0])
    kind, limits = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{place}: no such option.{did_you_mean(place, descriptions)}"
    if kind == "missing":
        return f"{place}: missing; {_lower(descriptions[place])}"
    if kind == "value_error":
        return f"{place}: {limits['error']}"
    whole = place in UNIONS
    value = found["input"]
    says = UNIONS[place] if whole else WORDS.get(kind, _lower(found["msg"])).format(**limits)
    return f"{place}: {value!r}; {says}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
