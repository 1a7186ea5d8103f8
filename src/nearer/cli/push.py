"""`nearer runs push`: copy a run's artifact to a remote place."""

import json as jsonlib
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from nearer.cli.runs import Experiment, Json, RunsDir
from nearer.run.api import get_run


def push(
    name: str,
    dest: str,
    /,
    *,
    force: Annotated[bool, Parameter(help="Replace whatever is there.")] = False,
    experiment: Experiment = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> int:
    """Copy a run's artifact to a URL, whole or not at all; one that was cut off goes on.

    Args:
        name: The run.
        dest: Where to: s3://bucket/folder, gs://…, az://…, ssh://host/folder, file:///folder, or
            hf://user/repo (private, if it is new).
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
