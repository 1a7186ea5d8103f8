"""Freezing: which parameters training leaves alone. Decides nothing about train or eval mode."""

from torch import nn

from nearer.errors import SpecError


def freeze_all(module: nn.Module) -> None:
    """Freeze every parameter of a module."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)


def layers_of(module: nn.Module) -> nn.ModuleList:
    """The layers of an encoder: its longest list of modules; an empty one where it has none."""
    lists = [m for m in module.modules() if isinstance(m, nn.ModuleList) and len(m)]
    return max(lists, key=len, default=nn.ModuleList())


def freeze_layers(module: nn.Module, count: int) -> None:
    """Freeze the embeddings and the first `count` layers.

    The layers are the longest list of modules in the encoder (its transformer blocks or stages);
    whatever is registered before layer `count` is frozen, so 0 freezes the embeddings alone.

    Raises:
        SpecError: The encoder has no such list, or fewer layers.
    """
    layers = layers_of(module)
    if not len(layers) or count > len(layers):
        raise SpecError([f"freeze: {count}; the model has {len(layers)} layers that can be frozen"])
    parameters = list(module.parameters())
    position = {id(p): i for i, p in enumerate(parameters)}
    if count < len(layers):
        end = min(position[id(p)] for p in layers[count].parameters())
    else:
        end = 1 + max(position[id(p)] for p in layers.parameters())
    for parameter in parameters[:end]:
        parameter.requires_grad_(False)
