"""LoRA: small adapters that learn in place of the weights, by way of peft. Trains nothing.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021): a linear layer W x becomes
W x + (alpha / rank) B A x, where A has `rank` rows; B starts at 0.
"""

import copy
import importlib.util
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nearer.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import nn

ADAPTER = "adapter"
"""Folder in the artifact of adapters that are kept apart too."""

ALL_LINEAR = "all-linear"
"""In place of names: every linear layer."""


@dataclass(frozen=True)
class LoraOptions:
    """What adapters are added.

    Attributes:
        rank: Rows of A: how much an adapter can learn, and how large it is.
        alpha: Weight of what an adapter adds, divided by the rank; None: twice the rank.
        dropout: Share of an adapter's input that is dropped in training.
        targets: Names of the linear layers, or their ends ("query"); None: those of attention.
        merge: Whether the artifact has the merged weights alone; False: `adapter/` beside them, as
            peft writes it.
    """

    rank: int = 16
    alpha: float | None = None
    dropout: float = 0.0
    targets: tuple[str, ...] | None = None
    merge: bool = True


def read_lora(value: int | Mapping[str, Any]) -> LoraOptions:
    """Read a rank, or a table of options.

    Raises:
        ValueError: There is no such option, or one is out of range.

    Example:
        >>> read_lora(8).rank, read_lora({"rank": 4, "targets": "query,value"}).targets
        (8, ('query', 'value'))
    """
    given: dict[str, Any] = dict(value) if isinstance(value, Mapping) else {"rank": value}
    known = [field.name for field in fields(LoraOptions)]
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(f'has no "{name}"; there are {", ".join(known)}.{hint}')
    targets = given.get("targets")
    if isinstance(targets, str):
        targets = tuple(part.strip() for part in targets.split(",") if part.strip())
    if targets is not None:
        given["targets"] = tuple(targets) if isinstance(targets, list | tuple) else targets
    options = LoraOptions(**given)
    whole = isinstance(options.rank, int) and not isinstance(options.rank, bool)
    if not whole or options.rank < 1:
        raise ValueError(f"rank {options.rank!r}; must be a whole number, at least 1")
    if options.alpha is not None and not (_number(options.alpha) and options.alpha > 0):
        raise ValueError(f"alpha {options.alpha!r}; must be more than 0")
    if not (_number(options.dropout) and 0 <= options.dropout < 1):
        raise ValueError(f"dropout {options.dropout!r}; must be 0 to less than 1")
    named = isinstance(options.targets, tuple) and all(isinstance(n, str) for n in options.targets)
    if options.targets is not None and not (named and options.targets):
        raise ValueError(f"targets {options.targets!r}; must be names of linear layers")
    if not isinstance(options.merge, bool):
        raise ValueError(f"merge {options.merge!r}; must be true or false")
    return options


def check_peft() -> None:
    """Raise SpecError where peft is not installed."""
    if importlib.util.find_spec("peft") is None:
        raise SpecError(
            ['lora: needs the package peft; install it with `pip install "nearer[lora]"`']
        )


def add_lora(model: "SentenceTransformer", options: LoraOptions) -> None:
    """Freeze a model and add adapters that learn.

    Raises:
        SpecError: There is no transformer in it, or none of the layers that were asked for.
    """
    from peft import LoraConfig, inject_adapter_in_model

    inner = _transformer(model)
    if inner is None:
        raise SpecError(["lora: the model has no transformer that adapters could be added to"])
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    linear = linear_layers(inner)
    wanted = options.targets or tuple(n for n, of_attention in linear.items() if of_attention)
    if not wanted or wanted == (ALL_LINEAR,):
        wanted = tuple(linear)
    for name in wanted:
        if not any(layer == name or layer.endswith(f".{name}") for layer in linear):
            ends = sorted({layer.rsplit(".", 1)[-1] for layer in linear})
            raise SpecError(
                [f'lora: targets: no linear layer "{name}"; there are {", ".join(ends)}']
            )
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha or 2 * options.rank,  # type: ignore[arg-type]
        lora_dropout=options.dropout,
        target_modules=list(wanted),
    )
    inject_adapter_in_model(config, inner)


def linear_layers(module: "nn.Module") -> dict[str, bool]:
    """Names of the linear layers of a module, and whether each one belongs to attention."""
    from torch import nn

    attention = [n for n, part in module.named_modules() if "Attention" in type(part).__name__]
    return {
        name: any(name.startswith(f"{outer}.") for outer in attention)
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear)
    }


def has_adapters(model: "nn.Module") -> bool:
    """Whether adapters have been added to a model."""
    return any(".lora_A." in name for name, _ in model.named_parameters())


def merged(model: "SentenceTransformer") -> "SentenceTransformer":
    """A copy of a model whose adapters have become part of the weights: a plain model again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    plain = copy.deepcopy(model)
    for name, part in list(plain.named_modules()):
        if isinstance(part, BaseTunerLayer):
            part.merge(safe_merge=True)
            parent, _, child = name.rpartition(".")
            setattr(plain.get_submodule(parent), child, part.get_base_layer())
    inner = _transformer(plain)
    if inner is not None and hasattr(inner, "peft_config"):
        del inner.peft_config
    for parameter in plain.parameters():
        parameter.requires_grad_(True)
    return plain


def save_adapter(model: "SentenceTransformer", folder: Path) -> None:
    """Write the adapters alone, in the form that `peft.PeftModel.from_pretrained` reads."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    inner = _transformer(model)
    assert inner is not None
    folder.mkdir()
    weights = get_peft_model_state_dict(inner, adapter_name="default")
    named = {f"base_model.model.{n}": w.detach().cpu().contiguous() for n, w in weights.items()}
    save_file(named, str(folder / "adapter_model.safetensors"), metadata={"format": "pt"})
    inner.peft_config["default"].save_pretrained(str(folder))


def describe(options: LoraOptions, module: "nn.Module") -> str:
    """A line for the log: what learns."""
    learn = sum(p.numel() for p in module.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in module.parameters())
    shown = ", ".join(f"{n} {v}" for n, v in asdict(options).items() if n in ("rank", "dropout"))
    return f"LoRA ({shown}): {learn:,} of {whole:,} parameters learn"


def _transformer(model: "SentenceTransformer") -> Any:
    return getattr(next(iter(model), None), "auto_model", None)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
