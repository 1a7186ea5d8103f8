"""Kinds of training data and how the names of columns tell them apart. Sees names, no values."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from nearer.data.rows import Rows, quoted
from nearer.errors import DataError, did_you_mean


class Kind(StrEnum):
    """What a row of training data is.

    PAIRS: a query and a document that answers it (columns `query,document`), or a text and the
    picture it describes (`text,image`). NEGATIVES: a pair with documents that do not answer it
    (`query,document,negative` or `negative_1,negative_2,…`; `score`, if there, is a teacher's
    margin). SCORED: two texts and their similarity (`text1,text2,score`). LABELLED: an item and
    its class (`text,label` or `image,label`).
    """

    PAIRS = "pairs"
    NEGATIVES = "negatives"
    SCORED = "scored"
    LABELLED = "labelled"


_FORMS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (Kind.PAIRS, ("query", "document")),
    (Kind.PAIRS, ("text", "image")),
    (Kind.SCORED, ("text1", "text2", "score")),
    (Kind.LABELLED, ("text", "label")),
    (Kind.LABELLED, ("image", "label")),
)
_FIXED = ("query", "document", "text", "image", "label", "text1", "text2", "score")
_NEGATIVE = re.compile(r"negative(?:_?(\d+))?")
_FORMS_LISTED = (
    "query,document[,negative…] · text1,text2,score · text,label · image,label · text,image"
)


def names_in(rows: Rows, columns: Mapping[str, str] | None, ours: Iterable[str]) -> dict[str, str]:
    """Our names of the columns, each with the name it has in the file.

    Args:
        rows: The data.
        columns: Our name → their name; a column that is given here counts under our name only.
        ours: The names that have a meaning; "negative" stands for its numbered forms too.

    Raises:
        DataError: A name of ours that has no meaning, or a column that the file does not have.
    """
    ours = tuple(ours)
    there = rows.table.column_names
    given = dict(columns or {})
    for our, their in given.items():
        if not _known(our, ours):
            raise DataError(
                f'columns: "{our}" is none of the names that have a meaning here '
                f"({', '.join(ours)}).{did_you_mean(our, ours)} "
                'Write our name first, then yours: columns={"query": "q"}.'
            )
        if their not in there:
            raise DataError(
                f'{rows.source}: no column "{their}" (given for {our}).'
                f"{did_you_mean(their, there)} Columns are {quoted(there)}."
            )
    twice = {their for their in given.values() if list(given.values()).count(their) > 1}
    if twice:
        raise DataError(f"columns: {quoted(sorted(twice))} is given for two names.")
    own = {name: name for name in there if _known(name, ours) and name not in given.values()}
    return own | given


def match_kind(
    rows: Rows, columns: Mapping[str, str] | None
) -> tuple[Kind, dict[str, str], str | None, str | None]:
    """The kind, its item columns, its score column and its label column.

    Returns:
        The kind; item columns as our name → their name, query first, then document, then
        negatives; the names in the file of the score and label columns, or None.

    Raises:
        DataError: The names fit no kind, or several.
    """
    names = names_in(rows, columns, (*_FIXED, "negative"))
    negatives = sorted((n for n in names if _NEGATIVE.fullmatch(n)), key=_number)
    forms = [form for form in _FORMS if set(form[1]) <= set(names)]
    if ("query", "document") in [form for _, form in forms] and "score" in names and not negatives:
        # A score beside a pair may say that the pair is a bad one; it must not be passed over.
        forms.append((Kind.SCORED, ("query", "document", "score")))
    if columns and len(forms) > 1:
        forms = _by_mapping(forms, columns)
    if not forms:
        raise DataError(_no_kind(rows))
    if len(forms) > 1:
        raise DataError(_several_kinds(rows, forms, names))
    kind, form = forms[0]
    items = [name for name in form if name not in ("score", "label")]
    if form == ("query", "document") and negatives:
        kind, items = Kind.NEGATIVES, [*items, *negatives]
    score = names.get("score") if kind in (Kind.NEGATIVES, Kind.SCORED) else None
    label = names["label"] if kind is Kind.LABELLED else None
    return kind, {name: names[name] for name in items}, score, label


def _by_mapping(
    forms: list[tuple[Kind, tuple[str, ...]]], columns: Mapping[str, str]
) -> list[tuple[Kind, tuple[str, ...]]]:
    """The forms that use every column which the user named; of several, those wholly named."""
    asked = {our for our in columns if not _NEGATIVE.fullmatch(our)}
    using = [form for form in forms if asked <= set(form[1])]
    return [form for form in using if set(form[1]) <= asked] or using


def _known(name: str, ours: tuple[str, ...]) -> bool:
    return name in ours or ("negative" in ours and _NEGATIVE.fullmatch(name) is not None)


def _number(name: str) -> int:
    match = _NEGATIVE.fullmatch(name)
    return int(match[1] or -1) if match else -1


def _no_kind(rows: Rows) -> str:
    there = rows.table.column_names
    first = there[0] if there else "…"
    second = there[1] if len(there) > 1 else "…"
    meant = [(name, hint) for name in there if (hint := did_you_mean(name, _FIXED))]
    lines = [
        f"{rows.source}: the columns {quoted(there)} are no training data that is known."
        + "".join(f'{hint[:-1]} by "{name}"?' for name, hint in meant if name not in _FIXED),
        f"  Known are: {_FORMS_LISTED}.",
        f'  If yours have other names, say which is which: columns={{"query": "{first}", '
        f'"document": "{second}"}} (--columns query={first},document={second}).',
    ]
    if rows.first_line is not None:
        lines.append(
            "  The first line of the file is taken for its header, and a header is needed. "
            f"It is:\n    {_short(rows.first_line)}\n"
            "  If that is data, put a line with the names of the columns before it."
        )
    return "\n".join(lines)


def _several_kinds(
    rows: Rows, forms: list[tuple[Kind, tuple[str, ...]]], names: Mapping[str, str]
) -> str:
    lines = [f"{rows.source}: the columns {quoted(rows.table.column_names)} fit several kinds:"]
    for kind, form in forms:
        ours = ("text1", "text2", "score") if kind is Kind.SCORED else form
        mapping = ", ".join(
            f'"{our}": "{names[name]}"' for our, name in zip(ours, form, strict=True)
        )
        lines.append(f"  {kind}: columns={{{mapping}}}")
    return "\n".join([*lines, "  Say which one is meant."])


def _short(line: str, width: int = 120) -> str:
    return line if len(line) <= width else line[:width] + "…"
