"""Fuzz the parser "record": `python tests/fuzz/fuzz_record.py -runs=20000`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.instrumented import HARNESSES, main

if __name__ == "__main__":
    main(HARNESSES["record"])
