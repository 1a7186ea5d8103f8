"""`nearer cache`: the embeddings, data and tokens that are kept, and how to be rid of them."""

import json as jsonlib
import sys
import time
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from nearer.cli.output import print_table
from nearer.encoder.kept import default_kept
from nearer.encoder.sizes import in_words
from nearer.encoder.store import default_store

app = App(
    name="cache",
    help="Show or clear what is kept: embeddings, data, tokens.",
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    result_action="return_value",
)

Json = Annotated[bool, Parameter(help="Print one JSON object and nothing else.")]


@app.command
def show(*, json: Json = False) -> int:
    """Show the embeddings that are kept of each model, and the data and tokens that are."""
    store, kept = default_store(), default_kept()
    models = store.usage() if store else []
    folders = kept.usage() if kept else []
    total = sum(line.size for line in models) + sum(line.size for line in folders)
    folder, limit = (str(kept.folder), kept.limit) if kept else (None, 0)
    if json:
        said = {"models": [asdict(u) for u in models], "kept": [asdict(u) for u in folders]}
        print(jsonlib.dumps({"folder": folder, "size": total, "limit": limit, **said}))
        return 0
    if kept is None:
        print("nothing is kept: NEARER_CACHE_SIZE is 0")
        return 0
    now = time.time()
    if models:
        rows = [
            (u.model, f"{u.states:,}", f"{u.rows:,}", in_words(u.size), _ago(now - u.used))
            for u in models
        ]
        print_table([("model", "states", "embeddings", "size", "last used"), *rows], sys.stdout)
    if folders:
        lines = [(u.kind, u.what, in_words(u.size), _ago(now - u.used)) for u in folders]
        print_table([("kept", "of", "size", "last used"), *lines], sys.stdout)
    print(f"{in_words(total)} of {in_words(limit)} in {folder}")
    return 0


@app.command
def clear(*, json: Json = False) -> int:
    """Remove all that is kept; what is needed again is made anew."""
    store, kept = default_store(), default_kept()
    freed = (store.clear() if store else 0) + (kept.clear() if kept else 0)
    print(jsonlib.dumps({"freed": freed}) if json else f"{in_words(freed)} freed")
    return 0


def _ago(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"
