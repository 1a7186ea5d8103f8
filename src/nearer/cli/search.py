"""`nearer search`: ask a file questions, one by an option or many at a prompt."""

import json as jsonlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from nearer.cli.output import Faults
from nearer.errors import NearerError
from nearer.importing import quick_imports
from nearer.run.faults import too_small
from nearer.run.pairs import pairs

if TYPE_CHECKING:
    from nearer.run.searching import SearchedFile

INTERRUPTED = 130
WIDTH = 100
"""Characters of a text that are shown."""


def search(
    model: str,
    index_data: str,
    query: str | None = None,
    /,
    *,
    limit: int = 10,
    distance: Literal["cosine", "dot", "euclidean"] = "cosine",
    columns: str | None = None,
    device: str = "auto",
    json: Annotated[bool, Parameter(help="Print one JSON object a query.")] = False,
) -> int:
    """Search a file with a model: one query, or one after the other.

    Without a query, each line of stdin is one, at a prompt where that is a terminal; an empty line
    or Ctrl-D ends. Among pictures, the path of a picture is a query too.

    Args:
        model: Artifact, export, catalog name, hub id or local folder.
        index_data: What is searched: a file with a column text or image, as of an evaluation.
        query: A text or the path of a picture.
        limit: Most results of a query.
        distance: How embeddings are compared.
        columns: Our column names to yours: text=question,id=key.
        device: auto, cpu, cuda or mps.
    """
    faults = Faults()
    names = faults.read("columns", pairs, columns) if columns else None
    for fault in too_small(limit=(limit, 1)):
        faults.add(fault)
    if query is not None and not query.strip():
        faults.add("query: empty; give a text, or none for a prompt")
    faults.report()
    with quick_imports():
        from nearer.callbacks import ProgressBar
        from nearer.run.searching import SearchedFile

    with ProgressBar() as bar:
        searched = SearchedFile(model, index_data, names, distance, device, bar.track)
    if query is not None:
        _answer(searched, query, limit, json)
        return 0
    try:
        for asked in _asked(len(searched)):
            try:
                _answer(searched, asked, limit, json)
            except NearerError as error:  # of this query; the next one may do
                print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    return 0


def _asked(rows: int) -> Iterator[str]:
    """Queries as they are typed or piped, up to an empty line or the end."""
    prompt = sys.stdin.isatty()
    if prompt:
        print(f"{rows:,} rows; an empty line or Ctrl-D ends", file=sys.stderr)
    while True:
        if prompt:
            print("query> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line


def _answer(searched: "SearchedFile", query: str, limit: int, json: bool) -> None:
    hits = searched.find(query, limit)
    if json:
        name = "image" if searched.pictures else "text"
        results = [{"rank": h.rank, "id": h.id, "score": h.score, name: h.item} for h in hits]
        print(jsonlib.dumps({"query": query, "results": results}, ensure_ascii=False), flush=True)
        return
    for hit in hits:
        item = Path(hit.item).name if searched.pictures else " ".join(hit.item.split())
        shown = item if len(item) <= WIDTH else f"{item[: WIDTH - 1]}…"
        print(f"{hit.rank:>3}  {hit.score:.4f}  {hit.id}  {shown}", flush=True)
