"""How an encoder is cut in two, a part that is frozen and the rest. Finds no cut, keeps nothing.

Each cut runs the encoder's own forward pass and lets a function stand in for the `forward` of the
modules that are left out, so it has to know no architecture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from nearer.encoder.freezing import layers_of
from nearer.encoder.module import ModuleEncoder
from nearer.encoder.protocol import Encoder, Features, Side
from nearer.encoder.sentence import SentenceTransformerEncoder

EMBEDDING = "sentence_embedding"


class Cut(Protocol):
    """A place to cut an encoder; the same for the encoder without its newly added head."""

    @property
    def what(self) -> str:
        """The frozen part in words."""

    def states(self, encoder: Encoder, features: Features, side: Side) -> list[Tensor]:
        """Run the frozen part alone: a state for each row, without padding."""

    def finish(
        self, encoder: Encoder, states: Sequence[Tensor], shared: Mapping[str, Any], side: Side
    ) -> Tensor:
        """Run the rest: shape (n, dimension).

        Args:
            encoder: The one that `states` was called with, or that one without its head.
            states: On the encoder's device.
            shared: What in the features is the same for all rows of a side.
            side: As it was for `states`.
        """


@dataclass(frozen=True)
class Whole:
    """Everything is frozen: a state is an embedding."""

    what: str = "the whole encoder"

    def states(self, encoder: Encoder, features: Features, side: Side) -> list[Tensor]:
        """Embed."""
        return list(encoder.embed(features, side))

    def finish(
        self, encoder: Encoder, states: Sequence[Tensor], shared: Mapping[str, Any], side: Side
    ) -> Tensor:
        """Nothing is left to be done."""
        return torch.stack(list(states))


@dataclass(frozen=True)
class BeforeHead:
    """Of a module with a new head all but the head is frozen: a state is what the head is given."""

    what: str = "all but the head"

    def states(self, encoder: Encoder, features: Features, side: Side) -> list[Tensor]:
        """Run the module that came."""
        return list(encoder.as_it_came().embed(features, side))

    def finish(
        self, encoder: Encoder, states: Sequence[Tensor], shared: Mapping[str, Any], side: Side
    ) -> Tensor:
        """Run the head, where there is one."""
        stacked = torch.stack(list(states))
        if not (isinstance(encoder, ModuleEncoder) and encoder.head):
            return stacked
        assert isinstance(encoder.module, nn.Sequential)
        embedding: Tensor = encoder.module[1](stacked)
        return embedding


@dataclass(frozen=True)
class AfterModules:
    """The first modules of a SentenceTransformer are frozen: a state is their pooled vector.

    Attributes:
        count: How many of them.
    """

    count: int

    @property
    def what(self) -> str:
        """The frozen part in words."""
        return "all that comes before the first module that learns"

    def states(self, encoder: Encoder, features: Features, side: Side) -> list[Tensor]:
        """Run the first modules."""
        model = _model(encoder)
        with standing_in(list(model)[self.count :], lambda given, **options: given):
            return list(model(dict(features), task=side)[EMBEDDING])

    def finish(
        self, encoder: Encoder, states: Sequence[Tensor], shared: Mapping[str, Any], side: Side
    ) -> Tensor:
        """Run the other modules."""
        features = {**shared, EMBEDDING: torch.stack(list(states))}
        with standing_in(list(_model(encoder))[: self.count], lambda given, **options: given):
            return encoder.embed(features, side)


@dataclass(frozen=True)
class AfterLayers:
    """Embeddings and first layers of a transformer are frozen: a state has a vector a token.

    Attributes:
        count: How many layers.
        of: Of how many.
        as_tuple: Whether a layer gives its vectors as the first of a tuple.
    """

    count: int
    of: int
    as_tuple: bool

    @property
    def what(self) -> str:
        """The frozen part in words."""
        return f"the embeddings and the first {self.count} of {self.of} layers"

    def states(self, encoder: Encoder, features: Features, side: Side) -> list[Tensor]:
        """Run embeddings and first layers."""
        layers = transformer_layers(_model(encoder))
        seen: list[Tensor] = []

        def note(module: nn.Module, given: Any, output: Any) -> None:
            seen.append(first_of(output))

        def passed_on(hidden: Tensor, *rest: Any, **options: Any) -> Any:
            return self._as_a_layer(hidden)

        hook = layers[self.count - 1].register_forward_hook(note)
        try:
            with standing_in(layers[self.count :], passed_on):
                _model(encoder)(dict(features), task=side)
        finally:
            hook.remove()
        mask = features["attention_mask"].bool()
        return [hidden[kept] for hidden, kept in zip(seen[0], mask, strict=True)]

    def finish(
        self, encoder: Encoder, states: Sequence[Tensor], shared: Mapping[str, Any], side: Side
    ) -> Tensor:
        """Run the other layers, and what follows them."""
        padded = nn.utils.rnn.pad_sequence(list(states), batch_first=True)
        lengths = torch.tensor([len(state) for state in states], device=padded.device)
        places = torch.arange(padded.shape[1], device=padded.device)
        mask = (places < lengths[:, None]).long()
        features = {**shared, "inputs_embeds": padded, "attention_mask": mask}
        layers = transformer_layers(_model(encoder))[: self.count]
        with standing_in(layers, lambda *given, **options: self._as_a_layer(padded)):
            return encoder.embed(features, side)

    def _as_a_layer(self, hidden: Tensor) -> Any:
        return (hidden,) if self.as_tuple else hidden


def first_of(output: Any) -> Any:
    """What a layer made of its tokens, whether it gives that alone or as the first of a tuple."""
    return output[0] if isinstance(output, tuple) else output


def transformer_layers(model: SentenceTransformer) -> list[nn.Module]:
    """The layers of a SentenceTransformer's transformer; none where it has no list of them."""
    inner = getattr(next(iter(model), None), "auto_model", None)
    return list(layers_of(inner)) if isinstance(inner, nn.Module) else []


@contextmanager
def standing_in(modules: Sequence[nn.Module], forward: Callable[..., Any]) -> Iterator[None]:
    """Let a function stand in for the forward pass of some modules, which stay where they are."""
    # A compiled module calls what it was compiled from, whatever its `forward` is now.
    stand_in = {"forward": forward, "_compiled_call_impl": None}
    before = [{n: m.__dict__[n] for n in stand_in if n in m.__dict__} for m in modules]
    for module in modules:
        module.__dict__.update(stand_in)
    try:
        yield
    finally:
        for module, own in zip(modules, before, strict=True):
            for name in stand_in.keys() - own.keys():
                del module.__dict__[name]
            module.__dict__.update(own)


def _model(encoder: Encoder) -> SentenceTransformer:
    assert isinstance(encoder, SentenceTransformerEncoder)
    return encoder.model
