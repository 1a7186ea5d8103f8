"""How deep each parameter of an encoder lies, for rates that fall with depth. Sets no rate."""

from collections.abc import Mapping

from torch import nn

from nearer.encoder.protocol import Encoder
from nearer.errors import SpecError


def rate_factors(encoder: Encoder, decay: float) -> dict[str, float]:
    """What the rate of each parameter is multiplied by, by its name in the encoder's module.

    Of L layers layer l has decay ** (L - l), the embeddings, which come before the first, have
    decay ** L, and all that comes after the last one, heads included, has 1.

    Args:
        encoder: Whose parameters; each of two towers has layers of its own.
        decay: More than 0, at most 1.

    Raises:
        SpecError: An encoder has no list of layers.
    """
    towers: Mapping[str, Encoder] = getattr(encoder, "towers", {})
    found: dict[str, float] = {}
    for part in towers.values() or (encoder,):
        depths = known_depths(part.module, part.name)
        factors = {id(p): decay ** depths[name] for name, p in part.module.named_parameters()}
        found |= {
            name: factors[id(p)]
            for name, p in encoder.module.named_parameters()
            if id(p) in factors and name not in found
        }
    return found


def known_depths(module: nn.Module, name: str) -> dict[str, int]:
    """What `depths_of` finds; SpecError where that is nothing."""
    depths = depths_of(module)
    if not depths:
        raise SpecError(
            [
                f"layer_decay: {name} has no list of layers to go by; leave layer_decay out, or "
                "keep the layers in an nn.ModuleList"
            ]
        )
    return depths


def depths_of(module: nn.Module) -> dict[str, int]:
    """How many layers still follow each parameter; empty where there are no layers.

    Layers are the members of an outermost list of two or more modules: blocks of a transformer,
    stages of a ResNet. A parameter outside of the lists belongs to the one that it shares most of
    its name with (a model may have one for texts and one for pictures), and lies before or after it
    as it was registered.

    Example:
        >>> blocks = nn.ModuleList([nn.Linear(1, 1, bias=False) for _ in range(3)])
        >>> depths_of(nn.ModuleDict({"word": nn.Embedding(2, 1), "blocks": blocks}))
        {'word.weight': 3, 'blocks.0.weight': 2, 'blocks.1.weight': 1, 'blocks.2.weight': 0}
    """
    lists: dict[str, int] = {}
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in lists)
        if isinstance(part, nn.ModuleList) and len(part) > 1 and not inside:
            lists[name] = len(part)
    names = [name for name, _ in module.named_parameters()]
    first = {
        outer: min((i for i, n in enumerate(names) if n.startswith(f"{outer}.")), default=None)
        for outer in lists
    }
    lists = {outer: count for outer, count in lists.items() if first[outer] is not None}
    if not lists:
        return {}
    depths: dict[str, int] = {}
    for place, name in enumerate(names):
        outer = max(lists, key=lambda one: _shared(one, name))
        if name.startswith(f"{outer}."):
            index = int(name[len(outer) + 1 :].split(".")[0])
            depths[name] = lists[outer] - 1 - index
        else:
            depths[name] = lists[outer] if place < (first[outer] or 0) else 0
    return depths


def _shared(one: str, other: str) -> int:
    """How many parts of two dotted names are equal, from the left."""
    count = 0
    for mine, yours in zip(one.split("."), other.split("."), strict=False):
        if mine != yours:
            break
        count += 1
    return count
