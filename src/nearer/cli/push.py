"""`nearer runs push`: copy a run's artifact to a remote place."""

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from nearer.run.api import get_run


def push(
    name: str,
    dest: str,
    /,
    *,
    force: Annotated[bool, Parameter(help="Replace whatever is there.")] = False,
    experiment: str | None = None,
    runs_dir: Annotated[
        Path | None, Parameter(help="Folder of all runs; default: NEARER_RUNS, else ./runs.")
    ] = None,
    json: Annotated[bool, Parameter(help="Print one JSON object and nothing else.")] = False,
) -> int:
    """Copy a run's artifact to a URL, whole or not at all; one that was cut off goes on.

    Args:
        name: The run.
        dest: Where to: s3://bucket/folder, gs://…, az://…, ssh://host/folder, file:///folder, or
            hf://user/repo (private, if it is new).
        experiment: Needed only where two experiments have a run of that name.
    """
    from nearer.callbacks import ProgressBar

    run = get_run(name, experiment, runs_dir)
    with ProgressBar():
        pushed = run.push(dest, force=force)
    if json:
        print(jsonlib.dumps(asdict(pushed), ensure_ascii=False))
    else:
        print(f"pushed: {pushed.url}")
    return 0
