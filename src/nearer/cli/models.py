"""`nearer models`: the catalog as a table."""

import json as jsonlib
import sys
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from nearer.cli.output import print_table
from nearer.encoder.catalog import CATALOG, Task, packaged_weights


def models(
    task: Task | None = None,
    *,
    json: Annotated[bool, Parameter(help="Print one JSON object and nothing else.")] = False,
) -> int:
    """List well-chosen models by short name.

    Args:
        task: Only those for this: text-to-text, image-to-image or text-to-image.
    """
    entries = [entry for entry in CATALOG if task in (None, entry.task)]
    if json:
        print(jsonlib.dumps({"models": [asdict(entry) for entry in entries]}))
        return 0
    rows = [("name", "task", "dims", "params", "licence", "here", "id", "")]
    for entry in entries:
        here = "yes" if packaged_weights(entry) else ""
        size = f"{entry.parameters:.1f} M"
        dims = str(entry.dimension)
        rows.append((entry.name, entry.task, dims, size, entry.licence, here, entry.id, entry.note))
    print_table(rows, sys.stdout)
    return 0
