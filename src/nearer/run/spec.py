"""Every option of a run: names, defaults, meaning, and what is wrong with them, all at once."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from nearer.encoder.augmentation import read_augmentation
from nearer.encoder.lora import read_lora
from nearer.encoder.sizes import parse_size
from nearer.errors import SpecError, UsageError
from nearer.evaluation.budget import memory_bytes
from nearer.run.cadence import read_cadence
from nearer.run.faults import fault_line, misfits
from nearer.run.names import cannot_name
from nearer.run.pairs import numbers, pairs, values

Count = Annotated[int, Field(ge=1)]
STOPPING = ("monitor", "patience", "min_delta")
PATHS = ("train_data", "eval_data", "query_data", "index_data", "qrels", "runs_dir")
MODELS = ("model", "query_model", "index_model")


class RunSpec(BaseModel):
    """The options of `nearer.fit`, `nearer fit` and spec.toml: one name in all three places."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )

    model: Any = Field(
        None, description="Catalog name, hub id, local folder, SentenceTransformer or nn.Module."
    )
    query_model: Any = Field(None, description="With index_model: the tower of the query side.")
    index_model: Any = Field(None, description="With query_model: the tower of the index side.")
    train_data: Any = Field(..., description="File, folder, Dataset, DataFrame or list of dicts.")
    columns: dict[str, str] | None = Field(
        None, description="Our column names to yours: query=question,document=answer."
    )
    on_bad_row: Literal["error", "skip"] = Field(
        "error", description="What to do with rows that cannot be used."
    )
    eval_data: Any = Field(None, description="Held-out rows for val_loss, like train_data.")
    val_split: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of train_data to hold out for val_loss."
    )
    query_data: Any = Field(
        None, description="Queries of an evaluation; adds an EvaluationCallback."
    )
    index_data: Any = Field(None, description="Documents of the evaluation; default: the queries.")
    qrels: Any = Field(None, description="Judgments (BEIR or TREC form); default: equal labels.")
    limit: Count = Field(20, description="Results that count: the k of the metrics.")
    cutoffs: tuple[Count, ...] = Field((), description="More values of k: 1,10 gives ndcg@10.")
    distance: Literal["cosine", "dot", "euclidean"] = Field(
        "cosine", description="How embeddings are compared in the evaluation."
    )
    query_sample_size: Count | None = Field(
        None, description="How many of the queries ask, drawn once; default: all."
    )
    memory_budget: int | str = Field(
        "1GiB", description="Memory that a search may take: 1GiB, 512MB, or bytes."
    )
    both_directions: bool = Field(
        False, description="Also let the rows of the index ask, among the queries."
    )
    monitor: str | None = Field(
        None, description="Metric to stop by; default ndcg_at_k, else val_loss. Adds EarlyStopping."
    )
    patience: Count | None = Field(
        None, description="Evaluations without improvement that end the fit; default 2."
    )
    min_delta: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Smallest gain that counts; default 0."
    )
    keep: Literal["best", "last"] | None = Field(
        None, description="Whose weights the artifact holds; best where something is monitored."
    )
    callbacks: tuple[Any, ...] = Field((), description="Callbacks, or names with options.")
    epochs: Count = Field(5, description="Passes over the training data.")
    batch_size: Annotated[int, Field(ge=2)] = Field(64, description="Rows a step.")
    items_per_class: Annotated[int, Field(ge=2)] = Field(
        4, description="Labelled data: rows of each class in a batch."
    )
    learning_rate: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Peak rate; default by model."
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="Each layer's rate is that of the next one times this; heads: full rate."
    )
    loss_learning_rate: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Peak rate of the loss's own parameters; default: learning_rate."
    )
    loss: str = Field("auto", description="Name of a loss; auto: by the kind of data.")
    loss_options: dict[str, Any] = Field({}, description="Options of the loss.")
    matryoshka_dims: tuple[Count, ...] | None = Field(
        None, description="Train embeddings that can be cut to these lengths."
    )
    optimizer: str = Field("AdamW", description="A class of torch.optim.")
    optimizer_options: dict[str, Any] = Field({}, description="Its options.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.01, description="Decay of matrices; biases and norms are never decayed."
    )
    scheduler: str = Field("linear", description="linear, cosine, constant, … or a torch class.")
    scheduler_options: dict[str, Any] = Field({}, description="Options of a torch class.")
    warmup: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1, description="Share of the steps over which the rate rises."
    )
    clip_norm: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Largest gradient norm; 0: no clipping."
    )
    on_nonfinite: Literal["error", "skip"] = Field(
        "error", description="What to do with a batch whose loss or gradient is not finite."
    )
    evaluate_every: Literal["epoch"] | Count = Field(
        "epoch", description="epoch, or a number of steps."
    )
    micro_batch: Count | None = Field(
        None, description="Most rows embedded, and held, at a time; default by length and memory."
    )
    training_memory: int | str = Field(
        "auto", description="Memory for activations: 4GiB, or bytes; auto: half of what is free."
    )
    packing: bool = Field(
        True, description="Train on texts without padding where that gives the same embeddings."
    )
    max_length: Count | None = Field(None, description="Most tokens of a text; default by model.")
    device: str = Field("auto", description="auto, cpu, cuda, mps.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="What to compute in; auto: bf16 where the processor has it."
    )
    query_prompt: str | None = Field(None, description="Put before queries; default by model.")
    document_prompt: str | None = Field(None, description="Put before documents; default by model.")
    freeze: Literal["backbone", "query", "index"] | Annotated[int, Field(ge=0)] | None = Field(
        None, description="backbone, a number of layers, or a tower: query, index."
    )
    lora: Count | dict[str, Any] | None = Field(
        None, description="Rank of LoRA adapters, or rank=16,alpha=32,dropout=0,targets=…,merge=…."
    )
    frozen_cache: int | str = Field(
        "16GiB", description="Room for what frozen parts make of the data, computed once; 0: none."
    )
    compile: bool = Field(
        False, description="Compile the encoder; minutes at first, then faster steps."
    )
    shard: bool = Field(
        False, description="Split the model among the processes of a launcher (FSDP)."
    )
    output_dim: Count | None = Field(None, description="Length of a projection head to add.")
    head: Literal["linear", "mlp"] | None = Field(
        None, description="With output_dim: linear (default), or mlp with a hidden layer."
    )
    pooling: Literal["mean", "max", "cls", "gem"] | None = Field(
        None, description="How tokens or places become one vector; default by model."
    )
    framing: Literal["crop", "pad"] | None = Field(
        None, description="What a model sees of a picture: its middle (crop), or all of it (pad)."
    )
    augment: bool | dict[str, Any] | None = Field(
        None,
        description="Views of pictures in training: crop=0.35,flip=0.5,colour=0.2; "
        "default: for labelled pictures.",
    )
    prepare: Any = Field(None, description="For an nn.Module: a function from items to a batch.")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(42, description="Seeds everything drawn.")
    name: str | None = Field(None, description="Name of the run; default: drawn.")
    experiment: str = Field("default", description="Folder of runs that belong together.")
    runs_dir: str | None = Field(
        None, description="Folder of all runs; default: NEARER_RUNS, else ./runs."
    )
    checkpoint_every: int | str = Field(
        "5min", description="5min, 30s, 2h, epoch, a number of steps; never: no checkpoints."
    )
    push: str | None = Field(None, description="URL that the artifact is copied to at the end.")
    resume: bool = Field(False, description="With name: go on with that run.")
    verify: bool = Field(
        False, description="With resume: replay the last steps and compare, bit for bit."
    )

    @field_validator("train_data", "eval_data", "query_data", "index_data", "qrels")
    @classmethod
    def _no_empty_path(cls, value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            raise ValueError("is empty; give a file, a folder or rows")
        return value

    @field_validator("runs_dir", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("cutoffs", "matryoshka_dims", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return numbers(value) if isinstance(value, str) else value

    @field_validator("memory_budget", "training_memory", "frozen_cache", mode="before")
    @classmethod
    def _bytes(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        try:
            if name == "frozen_cache":
                parse_size(value, name)  # 0 is a size: none
            elif not (name == "training_memory" and value == "auto"):
                memory_bytes(value, name)
        except UsageError as error:
            raise ValueError(str(error).removeprefix(f"{name} is ")) from error
        return value

    @field_validator("checkpoint_every", mode="before")
    @classmethod
    def _cadence(cls, value: Any) -> Any:
        try:
            read_cadence(value)
        except UsageError as error:
            raise ValueError(str(error).removeprefix("checkpoint_every is ")) from error
        return value

    @field_validator("lora", mode="before")
    @classmethod
    def _lora(cls, value: Any) -> Any:
        if isinstance(value, str):
            rank = int(value) if value.strip().isdecimal() else value
            value = values(value) if "=" in value else rank
        if value is not None:
            read_lora(value)
        return value

    @field_validator("augment", mode="before")
    @classmethod
    def _augment(cls, value: Any) -> Any:
        if isinstance(value, str) and "=" in value:
            value = values(value)
        if isinstance(value, bool | dict):
            read_augmentation(value)
        return value

    @field_validator("columns", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return pairs(value) if isinstance(value, str) else value

    @field_validator("loss_options", "optimizer_options", "scheduler_options", mode="before")
    @classmethod
    def _values(cls, value: Any) -> Any:
        return values(value) if isinstance(value, str) else value

    @field_validator("name", "experiment")
    @classmethod
    def _plain_name(cls, value: str | None) -> str | None:
        why = None if value is None else cannot_name(value)
        if why:
            raise ValueError(why)
        return value

    @property
    def early_stopping(self) -> bool:
        """Whether an option asks for an EarlyStopping."""
        return any(getattr(self, name) is not None for name in STOPPING)

    @property
    def prepares_itself(self) -> bool:
        """Whether a module of the user's own, with its own function, prepares items."""
        models = (self.model, self.query_model, self.index_model)
        return any(callable(m) and not hasattr(m, "get_embedding_dimension") for m in models)

    @property
    def runs_folder(self) -> Path:
        """Folder of all runs."""
        return runs_folder(self.runs_dir)


def runs_folder(given: str | None = None) -> Path:
    """Folder of all runs: the one given, else NEARER_RUNS, else ./runs."""
    return Path(given or os.environ.get("NEARER_RUNS") or "runs").absolute()


DESCRIPTIONS = {name: info.description or "" for name, info in RunSpec.model_fields.items()}


def parse(options: dict[str, Any]) -> RunSpec:
    """Validate the options of a run.

    Raises:
        SpecError: One or more are wrong; all of them are listed, each with the way out.
    """
    faults = misfits(options)
    try:
        spec = RunSpec.model_validate(options)
    except ValidationError as error:
        faults = [fault_line(dict(found), DESCRIPTIONS) for found in error.errors()] + faults
    if faults:
        raise SpecError(list(dict.fromkeys(faults)))
    return spec
