"""The functions that a user calls for models: evaluate, encode, load. Those for runs: api."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nearer.importing import quick_imports

if TYPE_CHECKING:
    import numpy as np

    from nearer.encoder.protocol import Encoder
    from nearer.evaluation.result import EvaluationResult


def evaluate(
    model: Any = None,
    query_data: Any = None,
    index_data: Any = None,
    qrels: Any = None,
    *,
    embeddings: Any = None,
    name: str | None = None,
    limit: int = 20,
    cutoffs: Sequence[int] = (),
    distance: Literal["cosine", "dot", "euclidean"] = "cosine",
    definitions: Literal["trec", "docarray"] = "trec",
    truncate_dim: int | None = None,
    columns: Mapping[str, str] | None = None,
    on_bad_row: Literal["error", "skip"] = "error",
    query_sample_size: int | None = None,
    sample_seed: int = 42,
    memory_budget: int | str = "1GiB",
    trec_run: str | Path | None = None,
    both_directions: bool = False,
    device: str = "auto",
    track: Any = None,
) -> "EvaluationResult":
    """Score a model, or embeddings that are there already, on queries, an index and judgments.

    An artifact of ours is evaluated as it was during its run: at the precision, length and prompts
    that it records, so that the figures are the same.

    Args:
        model: Artifact, catalog name, hub id, folder, `SentenceTransformer` or an encoder.
        query_data: Queries, or a BEIR folder.
        index_data: Documents; default: the queries, each without itself.
        qrels: Judgments; default: equal labels are relevant.
        embeddings: In place of a model: an array or a file (.npy, Parquet, Arrow) for queries that
            are the index, or two: `(query, index)`. Row i belongs to row i of the data.
        name: Prefix of the metrics; default: the model's short name, "embeddings" without one.
        limit: Results that count, the k of the metrics.
        cutoffs: More values of k.
        distance: How embeddings are compared.
        definitions: "trec" or "docarray".
        truncate_dim: Evaluate only the first dimensions.
        columns: Our column names to yours; `embedding` is the column of given embeddings.
        on_bad_row: "error" or "skip".
        query_sample_size: How many queries ask, drawn once; default all.
        sample_seed: The same seed draws the same queries.
        memory_budget: What the search may take beside the queries: "1GiB", "512MB", or bytes.
        trec_run: Write the ranking to this file in TREC's form.
        both_directions: Also let the rows of the index ask: `<name>_reverse_<metric>`.
        device: "auto", "cpu", "cuda" or "mps".
        track: Shows progress; see `nearer.encoder.protocol.Track`.

    Returns:
        Metrics (named `<name>_<metric>`), counts and the ranking of every query.

    Raises:
        UsageError: Something is wrong with the request; no model was loaded.

    Example:
        >>> import numpy as np, nearer
        >>> rows = [{"id": "a", "label": "x"}, {"id": "b", "label": "x"}, {"id": "c", "label": "y"}]
        >>> result = nearer.evaluate(query_data=rows, embeddings=np.eye(3) + 1, limit=1)
        >>> result.queries, "embeddings_ndcg_at_k" in result.metrics
        (3, True)
    """
    given = dict(locals())
    from nearer.run.scores import evaluate_any

    return evaluate_any(**given)


def encode(
    model: Any, data: Any, *, side: Literal["query", "document"] = "document", device: str = "auto"
) -> "np.ndarray":
    """Embed texts or pictures.

    Args:
        model: Artifact, catalog name, hub id, folder, `SentenceTransformer` or an encoder.
        data: A list of texts, or a file with a column `text` or `image`.
        side: "query" or "document"; decides the prompt.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        Shape (n, dimension), float32.

    Example:
        >>> nearer.encode("minilm", ["red shoes"]).shape  # doctest: +SKIP
        (1, 384)
    """
    with quick_imports():
        from nearer.run.use import encode_data

    return encode_data(model, data, side, device)


def load(path: str | Path, module: Any = None, prepare: Any = None) -> "Encoder":
    """Load an artifact as an encoder, after checking every file of it.

    Args:
        path: Folder of the artifact, or its URL: s3://…, hf://user/repo, …
        module: For an artifact of your own class: an instance to put the weights into.
        prepare: Its function to prepare items, where it has no method of that name.

    Raises:
        ArtifactError: It is damaged or incomplete; names the file.
    """
    with quick_imports():
        from nearer.run.use import load_path

    return load_path(path, module, prepare)
