"""Exporting an artifact: traced, checked on real rows against the artifact, measured, then kept."""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from nearer.artifact.atomic import new_folder
from nearer.artifact.export_card import export_card
from nearer.artifact.graph import quantise, write_graphs
from nearer.artifact.manifest import FILENAME, Manifest, hash_files, read_manifest
from nearer.artifact.store import load_artifact, load_exported
from nearer.data.evaluation_sets import read_collection
from nearer.encoder.onnx import MODEL
from nearer.encoder.protocol import Encoder, Track, untracked
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import FOLDERS, TwoTowers
from nearer.errors import ArtifactError, ModelError, NearerError, SpecError, did_you_mean
from nearer.run.faults import Faults
from nearer.run.parity import (
    compute_in_float32,
    parity,
    recorded_evaluation,
    rows_to_check,
    score,
)

Format = Literal["onnx", "onnx-int8"]

LEAST = 0.9999
"""Cosine that every row checked must reach between the artifact and its graph in float32."""


@dataclass(frozen=True)
class Exported:
    """What an export is, and how near to the artifact.

    Attributes:
        folder: Where it lies.
        format: "onnx" or "onnx-int8".
        bytes: Size of its graphs.
        parity: Cosine to the artifact's embeddings: "least", "mean" and the number of "rows".
        metrics: What "artifact" and "export" score on the run's evaluation data; empty where that
            was not measured.
        note: Why that was not measured, or an empty text.
    """

    folder: Path
    format: Format
    bytes: int
    parity: dict[str, float]
    metrics: dict[str, dict[str, float]]
    note: str = ""


def export(
    artifact: str | Path,
    format: Format = "onnx",
    output: str | Path | None = None,
    data: Any = None,
    *,
    track: Track = untracked,
) -> Exported:
    """Export an artifact to ONNX, in float32 or with weights in int8.

    The whole model is in the graph: transformer, pooling, heads, normalisation. It is kept only
    if it embeds real rows as the artifact does in float32, each with a cosine of 0.9999 at least.
    What int8 costs is measured on the evaluation data of the artifact's run.

    Args:
        artifact: Folder of the artifact.
        format: "onnx" or "onnx-int8".
        output: Folder to write; default: beside the artifact, `artifact-onnx`. An export that is
            there is replaced, anything else is not.
        data: Rows to check with, where the run's evaluation data is not there any more: a file
            with a column `text` or `image`, or a list of dicts.
        track: Shows progress; see `nearer.encoder.protocol.Track`.

    Raises:
        UsageError: Something is wrong with the request; no model was loaded.
        ModelError: A model that cannot be exported.
        NearerError: The graph does not embed as the artifact does; nothing is left of it.

    Example:
        >>> exported = nearer.export(run.artifact, "onnx-int8")  # doctest: +SKIP
        >>> exported.parity["least"]  # doctest: +SKIP
        0.98826
    """
    source = Path(artifact).expanduser()
    faults = Faults()
    target = faults.get(lambda: _target(source, format, output))
    manifest = faults.get(lambda: _of_artifact(source))
    given = None if data is None else faults.get(lambda: read_collection(data, role="index"))
    faults.report()
    evaluation, note = recorded_evaluation(manifest.spec)
    items = rows_to_check(evaluation, given, note)
    encoder = load_artifact(source)
    measured = evaluation if format == "onnx-int8" else None
    metrics = {"artifact": score(encoder, measured, track)} if measured else {}
    compute_in_float32(encoder)
    before = replace(manifest, kind="onnx", precision="fp32", export={"prompts": _prompts(encoder)})
    with new_folder(target) as folder:

        def exported() -> Encoder:
            # By the hashes of now: they name the space under which embeddings are kept.
            return load_exported(folder, replace(before, files=hash_files(folder)))

        write_graphs(encoder, items, folder)
        near = parity(encoder, exported(), items)
        if not near["least"] >= LEAST:
            raise NearerError(
                f"{source} cannot be exported: its graph does not do what the model does; of "
                f"{near['rows']} rows the furthest has a cosine of {near['least']:.5f} to the "
                f"artifact's embedding, below {LEAST}"
            )
        graphs = sorted(folder.rglob(MODEL))
        if format == "onnx-int8":
            for graph in graphs:
                quantise(graph)
            near = parity(encoder, exported(), items)
        if measured:
            metrics["export"] = score(exported(), measured, track)
        said = {**before.export, "format": format, "parity": near, "note": note}
        after = replace(before, metrics=metrics.get("export", manifest.metrics), export=said)
        card = export_card(after, folder)
        (folder / "README.md").write_text(card, encoding="utf-8")
        after = replace(after, files=hash_files(folder))
        (folder / FILENAME).write_text(after.to_json(), encoding="utf-8")
        size = sum(graph.stat().st_size for graph in graphs)
    return Exported(target, format, size, near, metrics, note if format == "onnx-int8" else "")


def _target(source: Path, format: Format, output: str | Path | None) -> Path:
    """Where to write, if that can be done."""
    faults = []
    if format not in get_args(Format):
        hint = did_you_mean(str(format), get_args(Format))
        faults.append(f"format: {format!r}; must be {' or '.join(get_args(Format))}.{hint}")
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        faults.append(
            f"format: {' and '.join(missing)} not installed; pip install 'nearer[onnx]' brings both"
        )
    if output is None:
        target = source.with_name(f"{source.name}-{format}")
    else:
        target = Path(output).expanduser()
    if not target.absolute().parent.is_dir():
        faults.append(f"output: there is no folder {target.absolute().parent}; make it first")
    elif target.exists() and not _is_export(target):
        faults.append(f"output: {target} is there already and is no export; name another folder")
    if faults:
        raise SpecError(faults)
    return target.absolute()


def _is_export(folder: Path) -> bool:
    try:
        return read_manifest(folder).kind == "onnx"
    except ArtifactError:
        return False


def _of_artifact(source: Path) -> Manifest:
    manifest = read_manifest(source)
    if manifest.kind == "onnx":
        raise ModelError(f"{source} is an export already; give the artifact that it was made from")
    if manifest.kind == "module":
        raise ModelError(
            f"{source} holds a module of your own, whose preparation of the input cannot be "
            "exported; give the module itself to torch.onnx.export"
        )
    return manifest


def _prompts(encoder: Encoder) -> dict[str, str]:
    towers = encoder.towers if isinstance(encoder, TwoTowers) else dict.fromkeys(FOLDERS, encoder)
    return {
        side: tower.prompt(side) or ""
        for side, tower in towers.items()
        if isinstance(tower, SentenceTransformerEncoder)
    }
