"""`nearer cache`: what is kept of embeddings, and how to be rid of it."""

import json as jsonlib
import sys
import time
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from nearer.cli.output import print_table
from nearer.encoder.sizes import in_words
from nearer.encoder.store import EmbeddingStore, default_store

app = App(
    name="cache",
    help="Show or clear the embeddings that are kept.",
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    result_action="return_value",
)

Json = Annotated[bool, Parameter(help="Print one JSON object and nothing else.")]


@app.command
def show(*, json: Json = False) -> int:
    """Show what is kept of each model, in how many states of its weights and settings."""
    store = default_store()
    lines = store.usage() if store else []
    total, limit = sum(line.size for line in lines), store.limit if store else 0
    folder = str(store.folder) if store else None
    if json:
        models = [asdict(line) for line in lines]
        print(jsonlib.dumps({"folder": folder, "size": total, "limit": limit, "models": models}))
        return 0
    if store is None:
        print("nothing is kept: NEARER_CACHE_SIZE is 0")
        return 0
    if lines:
        now = time.time()
        rows = [
            (u.model, f"{u.states:,}", f"{u.rows:,}", in_words(u.size), _ago(now - u.used))
            for u in lines
        ]
        print_table([("model", "states", "embeddings", "size", "last used"), *rows], sys.stdout)
    print(f"{in_words(total)} of {in_words(limit)} in {folder}")
    return 0


@app.command
def clear(*, json: Json = False) -> int:
    """Remove all embeddings that are kept; the next evaluation makes them anew."""
    store: EmbeddingStore | None = default_store()
    freed = store.clear() if store else 0
    print(jsonlib.dumps({"freed": freed}) if json else f"{in_words(freed)} freed")
    return 0


def _ago(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"
