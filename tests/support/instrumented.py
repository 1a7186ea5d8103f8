"""The harnesses, with nearer imported under atheris' eyes where atheris is installed."""

from contextlib import nullcontext

try:
    from atheris import instrument_imports
except ImportError:

    def instrument_imports(include: list[str]) -> nullcontext[None]:
        return nullcontext()


with instrument_imports(include=["nearer"]):
    from support.parsers import HARNESSES

from support.fuzzing import main

__all__ = ["HARNESSES", "main"]
