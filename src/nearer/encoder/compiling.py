"""torch.compile, where it is asked for. Chooses nothing: it is never on by itself."""

import importlib.util
import os
import shutil

from nearer.encoder.protocol import Encoder
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.towers import TwoTowers
from nearer.errors import SpecError

COMPILERS = ("c++", "g++", "clang++", "cl")


def check_compiler(device: str) -> None:
    """Check that what torch.compile calls is there.

    Args:
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        SpecError: There is no C++ compiler, or for a GPU no Triton; says how to go on.
    """
    if device == "cuda":
        if importlib.util.find_spec("triton") is None:
            raise SpecError(["compile: needs the package triton on this GPU; install it, or leave "
                             "compile out"])  # fmt: skip
        return
    own = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ((own,) if own else COMPILERS)):
        looked = own or ", ".join(COMPILERS)
        raise SpecError(
            [f"compile: needs a C++ compiler, and none was found ({looked}); install one, such as "
             "g++, set CXX, or leave compile out"]
        )  # fmt: skip


def compile_encoder(encoder: Encoder, backend: str = "inductor") -> None:
    """Compile the forward pass in place, for inputs of any length; names of weights stay.

    Args:
        encoder: The first call of its module then takes a minute or more.
        backend: Of torch.compile.
    """
    if isinstance(encoder, TwoTowers):
        for tower in encoder.towers.values():
            compile_encoder(tower, backend)
    elif isinstance(encoder, SentenceTransformerEncoder):
        # The transformer; pooling and heads are a handful of operations.
        next(iter(encoder.model)).compile(dynamic=True, backend=backend)
    else:
        encoder.module.compile(dynamic=True, backend=backend)
