"""`nearer export`: turn an artifact into ONNX, print how near it is."""

import json as jsonlib
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from nearer.cli.output import print_table
from nearer.encoder.sizes import in_words


def export(
    artifact: Path,
    /,
    *,
    format: Literal["onnx", "onnx-int8"] = "onnx",
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    data: str | None = None,
    json: Annotated[bool, Parameter(help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Export an artifact to ONNX; it is kept only if it embeds real rows as the artifact does.

    Args:
        artifact: Folder of the artifact.
        format: onnx (float32), or onnx-int8, which is smaller; what that costs is measured on the
            evaluation data of the run.
        output: Folder to write; default: beside the artifact.
        data: Rows to check with, where the run's evaluation data is not there any more: a file
            with a column text or image.
    """
    import nearer

    with nearer.ProgressBar() as bar:
        exported = nearer.export(artifact, format, output, data, track=bar.track)
    if json:
        print(jsonlib.dumps({**asdict(exported), "folder": str(exported.folder)}))
        return 0
    near = exported.parity
    print(f"{exported.folder}: {exported.format}, {in_words(exported.bytes)}")
    print(
        f"cosine to the artifact: at least {near['least']:.6f}, {near['mean']:.6f} in the mean, "
        f"{near['rows']:,} rows"
    )
    if exported.metrics:
        artifact_scores, export_scores = exported.metrics["artifact"], exported.metrics["export"]
        rows = [(n, f"{artifact_scores[n]:.5f}", f"{v:.5f}") for n, v in export_scores.items()]
        print_table([("metric", "artifact", "export"), *rows], sys.stdout)
    elif exported.note:
        print(f"what int8 costs was not measured: {exported.note}")
        print(f"measure it: nearer evaluate {exported.folder} --query-data … --index-data …")
    print(f"embed with it: nearer encode {exported.folder} INPUT -o FILE.npy")
    print(f"without nearer: the code in {exported.folder / 'README.md'}")
    return 0
