"""`nearer loop`: the training loop, printed with the callbacks that listen at each point."""

import inspect
from pathlib import Path

from nearer.run.spec_file import read_spec_file


def loop(spec: Path | None = None, /) -> int:
    """Print the training loop and who listens where.

    Args:
        spec: A spec file; its callbacks are shown at the events that they hear. Without one, all
            callbacks that come with nearer are.
    """
    from nearer.run.registry import callbacks_heard

    options = {} if spec is None else read_spec_file(spec)
    print(drawing(callbacks_heard(options if spec is not None else None)))
    return 0


def drawing(heard: dict[str, list[str]]) -> str:
    """The loop as `Event` draws it, with the listeners of each event at the end of its line."""
    from nearer.loop.events import Event

    text = inspect.getdoc(Event) or ""
    block = text.split("::\n\n", 1)[1].split("\n\n", 1)[0]
    lines = []
    for line in inspect.cleandoc(block).splitlines():
        names = [name for event, names in heard.items() if event in line for name in names]
        who = f"{line:<78} ← {', '.join(dict.fromkeys(names))}" if names else line
        lines.append(who.rstrip())
    return "\n".join(lines)
