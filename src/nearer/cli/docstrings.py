"""Data for the demo, made from what is installed: docstrings of four scientific libraries."""

import importlib
import inspect
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType

MODULES = """
numpy numpy.linalg numpy.fft numpy.random numpy.ma numpy.char numpy.testing numpy.lib.stride_tricks
numpy.polynomial.polynomial numpy.polynomial.chebyshev numpy.polynomial.legendre
numpy.polynomial.hermite numpy.polynomial.laguerre
scipy.stats scipy.stats.mstats scipy.signal scipy.signal.windows scipy.sparse scipy.sparse.linalg
scipy.sparse.csgraph scipy.optimize scipy.integrate scipy.interpolate scipy.linalg
scipy.linalg.blas scipy.ndimage scipy.special scipy.spatial scipy.spatial.distance scipy.cluster.vq
scipy.cluster.hierarchy scipy.fft scipy.io scipy.datasets scipy.differentiate
sklearn.cluster sklearn.covariance sklearn.datasets sklearn.decomposition sklearn.ensemble
sklearn.feature_extraction.text sklearn.feature_extraction.image sklearn.feature_selection
sklearn.gaussian_process.kernels sklearn.inspection sklearn.linear_model sklearn.manifold
sklearn.metrics sklearn.metrics.pairwise sklearn.mixture sklearn.model_selection
sklearn.multiclass sklearn.naive_bayes sklearn.neighbors sklearn.neural_network
sklearn.preprocessing sklearn.svm sklearn.tree sklearn.utils sklearn.utils.extmath sklearn.impute
sklearn.compose sklearn.pipeline sklearn.semi_supervised sklearn.random_projection
torch torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.linalg torch.fft
torch.special torch.optim torch.optim.lr_scheduler torch.distributions torch.utils.data
torch.autograd torch.signal.windows torch.sparse torch.nn.utils.parametrizations torch.func
""".split()

TEST_SHARE = 0.2
LONGEST = 600
"""Characters of a document; the beginning of a docstring says what a function is for."""


@dataclass(frozen=True)
class Pair:
    """What a function does, and what its documentation says beyond that."""

    name: str
    module: str
    query: str
    document: str


def collect() -> list[Pair]:
    """Collect a pair for every documented function and class; the same on every call."""
    pairs: dict[str, Pair] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecated names that are looked at, not used
        for name in MODULES:
            try:
                module = importlib.import_module(name)
            except ImportError:  # a module that this version does not have
                continue
            for pair in _of_module(module):
                pairs.setdefault(pair.query.lower(), pair)
    return list(pairs.values())


def write_demo_data(folder: Path) -> dict[str, int]:
    """Write train.csv, queries.jsonl, corpus.jsonl and qrels.tsv.

    Whole modules go to one side, so that no function of the test was seen in training. The index
    is the documents of the test side.

    Returns:
        Rows of each file.
    """
    import csv

    pairs = collect()
    test = [pair for pair in pairs if _is_test(pair.module)]
    train = [pair for pair in pairs if not _is_test(pair.module)]
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["query", "document"])
        writer.writerows([pair.query, pair.document] for pair in train)
    _write_jsonl(folder / "queries.jsonl", [(f"q:{p.name}", p.query) for p in test])
    _write_jsonl(folder / "corpus.jsonl", [(p.name, p.document) for p in test])
    judged = "".join(f"q:{p.name}\t{p.name}\t1\n" for p in test)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")
    return {"train": len(train), "queries": len(test), "corpus": len(test)}


def _of_module(module: ModuleType) -> Iterator[Pair]:
    for name in sorted(getattr(module, "__all__", None) or dir(module)):
        try:
            member = getattr(module, name)
        except (AttributeError, ImportError):  # listed, but not to be had without more
            continue
        if name.startswith("_") or not callable(member):
            continue
        home = getattr(member, "__module__", None) or module.__name__
        pair = make_pair(name, home, f"{module.__name__}.{name}", inspect.getdoc(member) or "")
        if pair is not None:
            yield pair


def make_pair(name: str, module: str, full_name: str, docstring: str) -> Pair | None:
    r"""Split a docstring: the summary, without the function's own name, asks for the rest.

    Example:
        >>> make_pair("dot", "numpy", "numpy.dot", "dot(a, b)\n\nDot product of two arrays of "
        ...           "numbers.\n\n" + "It is the sum of their products. " * 5).query
        'Dot product of two arrays of numbers.'
    """
    paragraphs = [p.strip() for p in re.split(r"\n\s*\n", docstring) if p.strip()]
    signature = ""
    while paragraphs and paragraphs[0].startswith((f"{name}(", "..")):
        signature = signature or paragraphs[0].splitlines()[0]
        rest = paragraphs[0].split("\n", 1)[1:]
        paragraphs = [rest[0].strip(), *paragraphs[1:]] if rest else paragraphs[1:]
    if len(paragraphs) < 2:
        return None
    words = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", "", paragraphs[0].replace("\n", " "))
    query = re.sub(r"\s+", " ", re.sub(r":\w+:|[`*]", "", words)).strip(" -–:.,") + "."
    body = re.sub(r"\s+", " ", " ".join(paragraphs[1:])).strip()
    if len(query.split()) < 4 or len(query) > 250 or len(body) < 80:
        return None
    document = f"{signature or name} {body}"[:LONGEST]
    return Pair(full_name, module, query, document)


def _is_test(module: str) -> bool:
    share = int.from_bytes(sha256(module.encode()).digest()[:4], "big") / 2**32
    return share < TEST_SHARE


def _write_jsonl(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for key, text in rows:
            file.write(json.dumps({"id": key, "text": text}, ensure_ascii=False) + "\n")
