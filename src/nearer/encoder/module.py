"""The adapter for any torch module that comes with a function to prepare its input."""

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_model
from torch import Tensor, nn

from nearer.encoder.protocol import Features, Precision, Prepared, Side
from nearer.errors import ModelError

Prepare = Callable[[Sequence[Any]], Tensor | dict[str, Tensor]]
WEIGHTS = "model.safetensors"


class ModuleEncoder:
    """Trains and evaluates any `nn.Module` that maps a prepared batch to embeddings.

    Args:
        module: Takes what `prepare` gives (a tensor, or a dict of tensors as keyword arguments)
            and returns embeddings of shape (n, dimension).
        prepare: Turns a list of items into one batch on the CPU. Default: the module's own method
            `prepare`.
        name: Short name; prefix of the metrics. Default: the class's name in lower case.
        dimension: Length of an embedding; where it is not given it is known once something has
            been embedded.
        precision: "fp32", "bf16" or "fp16".
        head: Whether the module is `nn.Sequential(what came, a newly added projection)`.

    Raises:
        ModelError: There is no function to prepare the input.

    Example:
        >>> class Letters(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.linear = nn.Linear(26, 8)
        ...     def prepare(self, texts):
        ...         counts = [[t.count(chr(97 + i)) for i in range(26)] for t in texts]
        ...         return torch.tensor(counts, dtype=torch.float32)
        ...     def forward(self, batch):
        ...         return self.linear(batch)
        >>> ModuleEncoder(Letters()).name
        'letters'
    """

    def __init__(
        self,
        module: nn.Module,
        prepare: Prepare | None = None,
        name: str | None = None,
        dimension: int | None = None,
        precision: Precision = "fp32",
        head: bool = False,
    ) -> None:
        own = getattr(module, "prepare", None)
        if prepare is None and not callable(own):
            raise ModelError(
                f"{type(module).__name__} does not say how to prepare its input; "
                "give prepare=…, a function from a list of items to a batch"
            )
        self.module = module
        self.prepare_items: Prepare = prepare or own  # type: ignore[assignment]
        self.name = name or type(module).__name__.lower()
        self.precision: Precision = precision
        self.head = head
        self._dimension = dimension

    @property
    def knows_dimension(self) -> bool:
        """Whether the length of an embedding is known before one was made."""
        return self._dimension is not None

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        if self._dimension is None:
            raise ModelError(f"the length of {self.name}'s embeddings is unknown; give dimension=")
        return self._dimension

    def prepare(self, items: Sequence[Any], side: Side) -> Prepared:
        """Call the user's function; all items count as equally long."""
        batch = self.prepare_items(list(items))
        features = batch if isinstance(batch, dict) else {"batch": batch}

        def take(rows: np.ndarray) -> Features:
            index = torch.from_numpy(rows)
            return {name: value[index] for name, value in features.items()}

        return Prepared(np.ones(len(items), dtype=np.int64), take)

    def embed(self, features: Features, side: Side) -> Tensor:
        """Run the module: shape (n, dimension)."""
        only = features.get("batch") if len(features) == 1 else None
        embedding: Tensor = self.module(**features) if only is None else self.module(only)
        self._dimension = embedding.shape[1]
        return embedding

    def save(self, folder: Path) -> None:
        """Write the weights; `nearer.load(path, module=…)` brings the encoder back."""
        save_model(self.module, str(folder / WEIGHTS))

    def fingerprint(self, side: Side) -> str:
        """The function that prepares the input, by name."""
        prepare = self.prepare_items
        return f"{getattr(prepare, '__qualname__', type(prepare).__qualname__)}|{self.precision}"

    def as_it_came(self) -> "ModuleEncoder":
        """The module without its newly added head; the weights are shared."""
        if not self.head:
            return self
        assert isinstance(self.module, nn.Sequential)
        came, head = self.module
        first = next(part for part in head.modules() if isinstance(part, nn.Linear))
        return self.around(came, first.in_features)

    def around(self, module: nn.Module, dimension: int, head: bool = False) -> "ModuleEncoder":
        """The same adapter around another module."""
        other = copy(self)
        other.module, other.head, other._dimension = module, head, dimension
        return other
