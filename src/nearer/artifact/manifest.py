"""nearer.json: what an artifact is, how it was scored, and the hash of every file in it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from nearer.encoder.protocol import Precision
from nearer.errors import ArtifactError

FILENAME = "nearer.json"
FORMAT = 1
WAY_OUT = "get the artifact again, or build it anew"

Kind = Literal["sentence-transformers", "towers", "module", "onnx"]


@dataclass(frozen=True)
class Manifest:
    """The facts of an artifact.

    Attributes:
        kind: How the encoder is laid out on disk.
        name: Short name of the model; the prefix of its metrics.
        base_model: What was fine-tuned.
        dimension: Length of an embedding.
        precision: What it was evaluated in; loading sets it again, so that figures are the same.
        module_class: Qualified name of the class, for kind "module".
        recipes: How modules of the catalog are built again, by their folder; "." for the artifact.
        epoch: The epoch whose weights these are; None where they were never evaluated.
        metrics: What these weights scored, by key.
        definitions: Whose formulas the metrics follow.
        run: Experiment, name and time of creation of the run that made it; empty without one.
        spec: The run's options.
        versions: Of nearer and of what it was made with.
        files: Hash (SHA-256) of every other file, by its path in the folder.
        export: For kind "onnx": its form, its prompts, and how near it is to the artifact that it
            was made from.
        format: Version of this file.
    """

    kind: Kind
    name: str
    base_model: str
    dimension: int
    precision: Precision = "fp32"
    module_class: str | None = None
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)
    epoch: int | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    definitions: str = "trec"
    run: str = ""
    spec: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    export: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> str:
        """The manifest as it stands in the file."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read an artifact's manifest.

    Raises:
        ArtifactError: There is none, it cannot be read, or a newer version wrote it.
    """
    path = folder / FILENAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        what = f"it has no {FILENAME}" if folder.is_dir() else "there is no such folder"
        raise ArtifactError(
            f"{folder} is not an artifact: {what}; give the folder artifact/ of a run"
        ) from None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error}; {WAY_OUT}") from error
    return parse_manifest(text, str(path))


def parse_manifest(text: bytes, path: str) -> Manifest:
    """Parse what stands in a manifest, and check every value of it.

    Args:
        text: The file's content.
        path: Where it is from, for the errors.

    Raises:
        ArtifactError: It is no manifest, or a newer version wrote it.
    """
    try:
        values = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}; {WAY_OUT}") from error
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise ArtifactError(f"{path} is not a manifest; {WAY_OUT}")
    if values["format"] > FORMAT:
        raise ArtifactError(
            f"{path} has format {values['format']}; this nearer reads up to {FORMAT}: upgrade it"
        )
    known = Manifest.__dataclass_fields__
    try:
        manifest = Manifest(**{key: value for key, value in values.items() if key in known})
    except TypeError as error:
        said = str(error).removeprefix("Manifest.__init__() ")
        raise ArtifactError(f"{path} is not complete: {said}; {WAY_OUT}") from error
    if manifest.kind not in get_args(Kind) or manifest.precision not in get_args(Precision):
        raise ArtifactError(
            f'{path} has the kind "{manifest.kind}" and the precision "{manifest.precision}"; one '
            "of them is unknown; upgrade nearer, or get the artifact again"
        )
    if not _is_texts(manifest.files):
        raise ArtifactError(
            f"{path} is not complete: it lists no files with their hashes; {WAY_OUT}"
        )
    wrong = [name for name, fits in _SHAPES.items() if not fits(getattr(manifest, name))]
    if wrong:
        raise ArtifactError(f'{path} has no proper value for "{wrong[0]}"; {WAY_OUT}')
    return manifest


def hash_files(folder: Path) -> dict[str, str]:
    """Hash every file of a folder but the manifest, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() != FILENAME
    }


def verify(folder: Path, manifest: Manifest) -> None:
    """Check that every file named in the manifest is there, whole and unchanged.

    Raises:
        ArtifactError: Names the first file that is not.
    """
    check_names(manifest, str(folder / FILENAME))
    for name, expected in manifest.files.items():
        path = folder / name.replace("\\", "/")
        try:
            there = path.is_file()
        except OSError:  # a name longer than any file's
            there = False
        if not there:
            raise ArtifactError(f"{path} is missing from the artifact; {WAY_OUT}")
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ArtifactError(f"{path} is a link that leads outside of the artifact; {WAY_OUT}")
        if sha256_of(path) != expected:
            raise ArtifactError(
                f"{path} is damaged: its hash is not the one in {FILENAME}; {WAY_OUT}"
            )


def check_names(manifest: Manifest, path: str) -> None:
    """Check that no file that a manifest names lies outside of the artifact's folder.

    Raises:
        ArtifactError: Names the first that does.
    """
    for name in manifest.files:
        inside = PurePosixPath(name.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts or ":" in name or "\0" in name:
            raise ArtifactError(f'{path} names "{name}", outside of the artifact; {WAY_OUT}')


def is_artifact(model: Any) -> bool:
    """Whether something that names a model is the folder of an artifact."""
    if not isinstance(model, str | Path):
        return False
    try:
        return (Path(model) / FILENAME).is_file()
    except (OSError, ValueError):  # too long, or with a character that no path has
        return False


def _is_texts(values: Any) -> bool:
    return isinstance(values, dict) and all(isinstance(value, str) for value in values.values())


def _is_recipe(value: Any) -> bool:
    heads = value.get("heads") if isinstance(value, dict) else None
    known = isinstance(heads, list) and isinstance(value.get("catalog"), str)
    return (
        known
        and isinstance(value.get("pooling"), str)
        and isinstance(value.get("framing", ""), str)
        and all(
            isinstance(head, list)
            and len(head) == 2
            and isinstance(head[0], str)
            and _is_count(head[1])
            for head in heads or ()
        )
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_figures(values: Any) -> bool:
    return isinstance(values, dict) and all(
        value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        for value in values.values()
    )


_SHAPES: dict[str, Callable[[Any], bool]] = {
    "name": lambda value: isinstance(value, str) and bool(value),
    "base_model": lambda value: isinstance(value, str),
    "dimension": _is_count,
    "module_class": lambda value: value is None or isinstance(value, str),
    "recipes": lambda value: isinstance(value, dict) and all(map(_is_recipe, value.values())),
    "epoch": lambda value: value is None or _is_count(value),
    "metrics": _is_figures,
    "definitions": lambda value: isinstance(value, str),
    "run": lambda value: isinstance(value, str),
    "spec": lambda value: isinstance(value, dict),
    "versions": _is_texts,
    "export": lambda value: isinstance(value, dict) and _is_texts(value.get("prompts", {})),
}
"""What the values of a manifest must be; whoever reads one need not look again."""


def sha256_of(path: Path) -> str:
    """The hash of a file, as a manifest has it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
