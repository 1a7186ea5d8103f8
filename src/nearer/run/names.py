"""Drawing a name for a run that has none."""

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


def draw_name() -> str:
    """Draw a name such as "keen-otter"; from the system's own randomness, never from the seed."""
    return f"{secrets.choice(FIRST)}-{secrets.choice(SECOND)}"
