"""The functions that a user calls for runs: fit, get_run, list_runs. Those for models: use_api."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nearer.importing import quick_imports
from nearer.run.spec import runs_folder

if TYPE_CHECKING:
    from nearer.loop.callback import Callback
    from nearer.run.handle import Run


def fit(
    *,
    train_data: Any = None,
    model: Any = None,
    query_model: Any = None,
    index_model: Any = None,
    columns: Mapping[str, str] | None = None,
    on_bad_row: Literal["error", "skip"] = "error",
    eval_data: Any = None,
    val_split: float = 0.0,
    query_data: Any = None,
    index_data: Any = None,
    qrels: Any = None,
    limit: int = 20,
    cutoffs: Sequence[int] = (),
    distance: Literal["cosine", "dot", "euclidean"] = "cosine",
    query_sample_size: int | None = None,
    memory_budget: int | str = "1GiB",
    both_directions: bool = False,
    monitor: str | None = None,
    patience: int | None = None,
    min_delta: float | None = None,
    keep: Literal["best", "last"] | None = None,
    callbacks: "Sequence[Callback | Mapping[str, Any]]" = (),
    epochs: int = 5,
    batch_size: int = 64,
    items_per_class: int = 4,
    learning_rate: float | None = None,
    layer_decay: float | None = None,
    loss_learning_rate: float | None = None,
    loss: str = "auto",
    loss_options: Mapping[str, Any] | None = None,
    matryoshka_dims: Sequence[int] | None = None,
    optimizer: str = "AdamW",
    optimizer_options: Mapping[str, Any] | None = None,
    weight_decay: float = 0.01,
    scheduler: str = "linear",
    scheduler_options: Mapping[str, Any] | None = None,
    warmup: float = 0.1,
    clip_norm: float = 1.0,
    on_nonfinite: Literal["error", "skip"] = "error",
    evaluate_every: Literal["epoch"] | int = "epoch",
    micro_batch: int | None = None,
    training_memory: int | str = "auto",
    packing: bool = True,
    max_length: int | None = None,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    query_prompt: str | None = None,
    document_prompt: str | None = None,
    freeze: Literal["backbone", "query", "index"] | int | None = None,
    lora: int | Mapping[str, Any] | None = None,
    frozen_cache: int | str = "16GiB",
    compile: bool = False,
    shard: bool = False,
    output_dim: int | None = None,
    head: Literal["linear", "mlp"] | None = None,
    pooling: Literal["mean", "max", "cls", "gem"] | None = None,
    framing: Literal["crop", "pad"] | None = None,
    augment: bool | Mapping[str, Any] | None = None,
    prepare: Any = None,
    seed: int = 42,
    name: str | None = None,
    experiment: str = "default",
    runs_dir: str | Path | None = None,
    checkpoint_every: int | str = "5min",
    push: str | None = None,
    resume: bool = False,
    verify: bool = False,
) -> "Run":
    """Fine-tune an embedding model and hand back the run.

    Trains, scores retrieval before training and after every epoch where there is an evaluation,
    stops when a callback asks for it, puts the best weights back and leaves an artifact that
    sentence-transformers loads. Everything is checked before a model is loaded; all faults are
    reported at once.

    Args:
        train_data: File, folder, Dataset, DataFrame or list of dicts; its columns say what kind.
        model: Catalog name (`nearer models`), hub id, local folder, `SentenceTransformer`, or an
            `nn.Module` with a `prepare` function.
        query_model: With `index_model`, in place of `model`: the tower of the query side.
        index_model: The tower of the index side.
        columns: Our column names to yours: `{"query": "question"}`.
        on_bad_row: "error", or "skip" to leave out rows that cannot be used.
        eval_data: Held-out rows for `val_loss`, like `train_data`.
        val_split: Share of `train_data` to hold out for `val_loss`, 0 to 1.
        query_data: Queries of an evaluation; adds an `EvaluationCallback`.
        index_data: Documents of the evaluation; default: the queries.
        qrels: Judgments in BEIR or TREC form; default: equal labels are relevant.
        limit: Results that count, the k of the metrics.
        cutoffs: More values of k; 10 adds `ndcg@10` and the like.
        distance: How embeddings are compared in the evaluation.
        query_sample_size: How many of the queries ask, drawn once; default: all.
        memory_budget: Memory that a search may take: "1GiB", "512MB", or bytes.
        both_directions: Evaluate picture to text too, say: the rows of the index ask as well.
        monitor: Metric to stop by; adds an `EarlyStopping`. Default `ndcg_at_k`, else `val_loss`.
        patience: Evaluations without improvement that end the fit; adds an `EarlyStopping`.
        min_delta: Smallest gain that counts; adds an `EarlyStopping`.
        keep: Whose weights the artifact holds; "best" where something can be judged by.
        callbacks: Callbacks in any order, as objects or as `{"name": …, option: …}`.
        epochs: Passes over the training data.
        batch_size: Rows of a step.
        items_per_class: Labelled data: rows of each class in a batch.
        learning_rate: Peak rate; default by model.
        layer_decay: Each layer's rate is that of the next one times this; heads have the full rate.
        loss_learning_rate: That of the loss's own parameters; default: the same.
        loss: Name of a loss; "auto" by the kind of data.
        loss_options: Options of the loss.
        matryoshka_dims: Train embeddings that can be cut to these lengths.
        optimizer: A class of torch.optim.
        optimizer_options: Its options.
        weight_decay: Decay of matrices; biases and norms are never decayed.
        scheduler: "linear", "cosine", "constant", …, or a class of torch.optim.lr_scheduler.
        scheduler_options: Options of the latter.
        warmup: Share of the steps over which the rate rises from 0.
        clip_norm: Largest gradient norm; 0 clips nothing.
        on_nonfinite: "error", or "skip" to pass over batches whose loss or gradient is not finite.
        evaluate_every: "epoch", or a number of steps.
        micro_batch: Most rows embedded, and held, at a time; default by lengths and memory.
        training_memory: Memory for activations: "4GiB", or bytes; default: half of what is free.
        packing: Train on texts without padding where that gives the same embeddings.
        max_length: Most tokens of a text; default by model.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto" is bf16 where the processor has it natively, else fp32.
        query_prompt: Put before queries; default by model.
        document_prompt: Put before documents; default by model.
        freeze: "backbone", a number of layers, or a tower: "query", "index".
        lora: Rank of LoRA adapters that learn in place of the weights, or `{"rank": 16, …}`.
        frozen_cache: Room for what frozen parts make of the data, in memory and on disk; 0: none.
        compile: Compile the encoder: minutes at first, faster steps then.
        shard: Split the model among the processes of a launcher, so that none holds all of it.
        output_dim: Length of a projection head to add.
        head: With `output_dim`: "linear", or "mlp" with a hidden layer.
        pooling: How tokens, or the places of a picture, become one vector; default by model.
        framing: What a picture model of the catalog sees: the middle of a picture ("crop", the
            default), or all of it on a white square ("pad").
        augment: Views of pictures in training: True, False, or `{"crop": 0.35, "flip": 0.5,
            "colour": 0.2}`; default: for labelled pictures whose backbone learns.
        prepare: For an `nn.Module`: a function from a list of items to a batch.
        seed: Seeds everything that is drawn.
        name: Name of the run; drawn where none is given.
        experiment: Folder of runs that belong together.
        runs_dir: Folder of all runs; default `NEARER_RUNS`, else `./runs`.
        checkpoint_every: "5min", "30s", "2h", "epoch", a number of steps, or "never".
        push: URL to copy the artifact to at the end: "s3://bucket/folder", "hf://user/repo", ….
        resume: With `name`: go on with that run.
        verify: With `resume`: replay the last steps and compare, bit for bit.

    Returns:
        The run: `run.metrics()`, `run.stop_reason`, `run.model()`, `run.artifact`.

    Raises:
        UsageError: Something is wrong with the request; nothing was started.
        Interrupted: Ctrl-C or SIGTERM; `error.run` has the best model so far.

    Example:
        >>> run = nearer.fit(  # doctest: +SKIP
        ...     model="minilm",
        ...     train_data="train.csv",
        ...     callbacks=[
        ...         EvaluationCallback("queries.jsonl", "corpus.jsonl", "qrels.tsv"),
        ...         EarlyStopping("ndcg_at_k", patience=2),
        ...     ],
        ... )
    """
    given = dict(locals())
    from nearer.run.chosen import chosen

    with quick_imports():
        from nearer.run.execute import execute

    return execute(chosen(given))


def get_run(name: str, experiment: str | None = None, runs_dir: str | Path | None = None) -> "Run":
    """Find a run by its name; the experiment is needed only where two have it.

    Raises:
        RunNotFound: There is none.
    """
    from nearer.run.handle import Run
    from nearer.run.record import find

    return Run(find(_folder(runs_dir), name, experiment).path)


def list_runs(experiment: str | None = None, runs_dir: str | Path | None = None) -> "list[Run]":
    """All runs, or those of one experiment; by experiment and name."""
    from nearer.run.handle import Run
    from nearer.run.record import all_runs

    return [Run(folder.path) for folder in all_runs(_folder(runs_dir), experiment)]


def _folder(runs_dir: str | Path | None) -> Path:
    return runs_folder(None if runs_dir is None else str(runs_dir))
