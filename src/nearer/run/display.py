"""Examples and comparisons on the screen; plain lines where that is no terminal."""

import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearer.evaluation.comparison import Comparison
from nearer.evaluation.moves import QueryChange
from nearer.run.example import Example, Examples, Match
from nearer.run.texts import Texts

DOCUMENTS = 5
"""Most documents shown of a query that changed."""


def display_examples(examples: Examples, console: Console | None = None) -> None:
    """Print the results of some queries, before and after.

    Args:
        examples: What `read_examples` gave.
        console: Where to print; default: stdout.
    """
    console = console or Console()
    for stage, found in examples.items():
        title = f"Results {stage} fine-tuning:"
        if console.is_terminal:
            console.print(_table(title, found))
        else:
            # Off a terminal a line stays a line, however long: it may be searched or counted.
            for line in _lines(title, found):
                console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)


def display_comparison(comparison: Comparison, texts: Texts, count: int = 5) -> None:
    """Print a comparison to stdout: the means, then the queries that changed most.

    Args:
        comparison: What to print.
        texts: What the ids stand for.
        count: Most queries won, and most lost.
    """
    print(comparison)
    for title, changes in (("won", comparison.wins(count)), ("lost", comparison.losses(count))):
        if changes:
            print(f"\nQueries {title}, the largest difference first:")
        for change in changes:
            print()
            for line in change_lines(change, texts, comparison.depth):
                print(f"  {line}")


def change_lines(change: QueryChange, texts: Texts, depth: int) -> Iterator[str]:
    """A query that changed, and the documents that moved most, with their ranks on both sides."""
    (query,) = texts.queries([change.query])
    yield _one_line(query) + (f" ({change.query})" if query != change.query else "")
    yield f"{change.a:.5f} → {change.b:.5f}"
    shown = change.moved[:DOCUMENTS]
    ids = [one.id for one in shown]
    marks = texts.relevant(change.query, ids) or [False] * len(ids)
    out = f">{depth}"
    ranks = [(str(one.before or out), str(one.after or out)) for one in shown]
    widths = [max((len(pair[i]) for pair in ranks), default=0) for i in range(2)]
    for pair, mark, text in zip(ranks, marks, texts.documents(ids), strict=True):
        moved = " → ".join(rank.rjust(width) for rank, width in zip(pair, widths, strict=True))
        yield f"  {moved} {'✓' if mark else ' '} {_one_line(text)}"
    more = len(change.moved) - len(shown)
    if more:
        yield f"  and {more:,} more"


def _one_line(text: str, width: int = 90) -> str:
    return textwrap.shorten(text, width, placeholder=" …")


def _table(title: str, examples: list[Example]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for place, (label, mark, text) in _rows(examples):
        style = "bold yellow" if label == "Query" else ""
        cells = (Text(cell, style) for cell in (label, mark, text))
        if label == "Query" and place:
            table.add_section()
        table.add_row(*cells)
    return table


def _lines(title: str, examples: list[Example]) -> Iterator[str]:
    yield title
    rows = list(_rows(examples))
    width = max((len(label) for _, (label, _, _) in rows), default=0)
    for _, (label, mark, text) in rows:
        yield f"  {label:{width}} {mark or ' '} {' '.join(text.split())}"


def _rows(examples: list[Example]) -> Iterator[tuple[int, tuple[str, str, str]]]:
    for place, one in enumerate(examples):
        yield place, ("Query", "", _shown(one))
        for rank, match in enumerate(one.matches, 1):
            yield place, (f"Match {rank}", "✓" if match.relevant else "", _shown(match))


def _shown(item: Example | Match) -> str:
    """A text as it is; of a picture the name of its file, and its class where it has one."""
    return f"{item.name} ({item.label})" if item.picture and item.label else item.name
