"""Names of runs and experiments: what may be one, and drawing one for a run that has none."""

import secrets

FIRST = (
    "amber apt bold brisk calm clear crisp dawn deep eager early fair fleet fond fresh gentle glad "
    "golden grand green keen kind light lively lucid mellow merry mild neat nimble noble plain "
    "prime proud quick quiet rapid ready silver sleek smart soft solid steady still sunny sure "
    "swift tidy true vivid warm wise young"
).split()
SECOND = (
    "badger bear beaver bison crane crow curlew deer dove eagle egret elk falcon finch fox gull "
    "hare hawk heron ibis jay kestrel kite lark linnet lynx marten mole moth newt otter owl "
    "pelican pike plover puffin quail raven robin salmon seal shrew siskin snipe sparrow stoat "
    "stork swallow swan swift tern thrush trout vole wagtail wolf wren"
).split()


LONGEST = 100
"""Characters of a name at most; with what is put before and after it, it has to fit a file name."""


def cannot_name(text: str) -> str | None:
    """Why a text can't be the name of a run or an experiment; None where it can.

    Example:
        >>> cannot_name("a/b")
        '"a/b" cannot name a folder; use letters, digits, "-" and "_"'
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if len(text) > LONGEST:
        return f'"{shown[:20]}…" has {len(text)} characters; a name has at most {LONGEST}'
    outside = not text.strip() or text.startswith(".") or text != text.strip()
    if outside or any(c in '/\\:*?"<>|' or not c.isprintable() for c in text):
        return f'"{shown}" cannot name a folder; use letters, digits, "-" and "_"'
    return None


def draw_name() -> str:
    """Draw a name such as "keen-otter"; from the system's own randomness, never from the seed."""
    return f"{secrets.choice(FIRST)}-{secrets.choice(SECOND)}"
