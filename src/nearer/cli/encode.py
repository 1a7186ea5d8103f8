"""`nearer encode`: embed the items of a file into a .npy."""

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from nearer.errors import SpecError
from nearer.importing import quick_imports


def encode(
    model: str,
    input_file: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    side: Literal["query", "document"] = "document",
    device: str = "auto",
) -> int:
    """Embed the texts or pictures of a file; row i of the array is row i of the file.

    Args:
        model: Artifact, catalog name, hub id or local folder.
        input_file: A file with a column `text` or `image`.
        output: Where to write the array: a .npy file, float32.
        side: query or document; decides the prompt.
        device: auto, cpu, cuda or mps.
    """
    if output.suffix != ".npy":
        raise SpecError([f"output: {output}; must end in .npy"])
    if not output.absolute().parent.is_dir():
        raise SpecError([f"output: there is no folder {output.absolute().parent}; make it first"])
    import numpy as np

    with quick_imports():
        from nearer.callbacks import ProgressBar
        from nearer.run.use import encode_data

    with ProgressBar() as bar:
        vectors = encode_data(model, input_file, side, device, bar.track)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp.npy")
    np.save(temporary, vectors)
    temporary.replace(output)
    print(f"{output}: {vectors.shape[0]:,} rows, {vectors.shape[1]} dimensions")
    return 0
