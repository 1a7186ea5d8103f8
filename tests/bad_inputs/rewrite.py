"""Writes the texts of cases.toml anew, as they are now; what changes is for review.

PYTHONPATH=src python tests/bad_inputs/rewrite.py
"""

import json
import logging
import sys
import tempfile
import tomllib
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import write_toy_files
from support.bad_inputs import TABLE, Case, play
from support.tiny import save_tiny_bert

HEAD = """\
# What bad input gets: the mistake, and the exact text of its error.
#
# `…/` stands for the folder of the case, {metrics} and the like for long lists. How a case is read
# stands in tests/support/bad_inputs.py; `python tests/bad_inputs/rewrite.py` writes `says`, `code`
# and `error` anew. Read what it changes: a good text names the thing, the place and the way out.
"""


def written(value: Any) -> str:
    """A value as TOML; texts of several lines as blocks."""
    if isinstance(value, str):
        plain = value.isprintable() or all(c.isprintable() or c == "\n" for c in value)
        if "\n" in value and plain and "'''" not in value and not value.endswith("'"):
            return f"'''\n{value}'''"
        if plain and "\n" not in value and "'" not in value:
            return f"'{value}'"
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return "[" + ", ".join(written(part) for part in value) + "]"
    # Braces may not span lines, so texts of several lines have their breaks escaped.
    parts = [
        f"{name if name.replace('_', '').isalnum() and name.isascii() else json.dumps(name)} = "
        + (json.dumps(part, ensure_ascii=False) if isinstance(part, str) else written(part))
        for name, part in value.items()
    ]
    return "{ " + ", ".join(parts) + " }"


def main() -> None:
    """Play every case and write the table."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    lines = [HEAD]
    with tempfile.TemporaryDirectory() as place:
        model = save_tiny_bert(Path(place))
        for heading, cases in table.items():
            lines.append(f"\n# {'-' * 80}\n")
            for values in cases:
                with tempfile.TemporaryDirectory() as name:
                    folder = Path(name).resolve()
                    shaped = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
                    files = write_toy_files(folder)
                    said = play(Case(**shaped), folder, model, files)
                values.pop("code", None), values.pop("error", None), values.pop("says", None)
                if said.error:
                    values["error"] = said.error
                if said.code != 2:
                    values["code"] = said.code
                values["says"] = said.says
                if said.out or said.left or not said.code or "DEFECT" in (said.error or ""):
                    print(f"!! {heading}: {said.error} {said.code}", end=" ")
                    print(f"{values['name']}: left {said.left}, said {said.out!r}")
                lines.append(f"[[{heading}]]")
                lines += [f"{name} = {written(value)}" for name, value in values.items()]
                lines.append("")
    TABLE.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
