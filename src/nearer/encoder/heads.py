"""Adding a projection head, so that embeddings have the length that the user asked for."""

from typing import Literal, get_args

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import nn

from nearer.encoder.module import ModuleEncoder
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.vision import PictureEncoder

HeadName = Literal["linear", "mlp"]
HEADS: tuple[str, ...] = get_args(HeadName)


def with_head(
    encoder: SentenceTransformerEncoder | ModuleEncoder,
    output_dim: int,
    kind: HeadName = "linear",
) -> SentenceTransformerEncoder | ModuleEncoder:
    """Add a projection to `output_dim`; what follows the pooling stays behind it.

    A linear one starts as a random rotation (orthogonal rows), which keeps angles as well as a
    linear map can, so that training starts near the encoder that came. With "mlp" there is a layer
    of the encoder's own width before it, with ReLU, which starts as the identity.
    """
    if isinstance(encoder, SentenceTransformerEncoder):
        modules = list(encoder.model)
        at = len(modules) - 1 if isinstance(modules[-1], Normalize) else len(modules)
        *before, last = _layers(encoder.dimension, output_dim, kind)
        head = [*(_dense(layer, nn.ReLU()) for layer in before), _dense(last, nn.Identity())]
        modules[at:at] = head
        model = SentenceTransformer(
            modules=modules,
            prompts=encoder.model.prompts,
            default_prompt_name=encoder.model.default_prompt_name,
            similarity_fn_name=encoder.model.similarity_fn_name,
            device=str(encoder.model.device),
        )
        new = range(at, at + len(head))
        headed = SentenceTransformerEncoder(model, encoder.name, encoder.precision, head=new)
        headed.keep_adapter = encoder.keep_adapter
        return headed
    layers = _layers(encoder.dimension, output_dim, kind)
    head_module = layers[0] if kind == "linear" else nn.Sequential(layers[0], nn.ReLU(), layers[1])
    other = encoder.around(nn.Sequential(encoder.module, head_module), output_dim, head=True)
    if isinstance(other, PictureEncoder):
        other.recipe = {**other.recipe, "heads": [*other.recipe["heads"], [kind, output_dim]]}
    return other


def _layers(dimension: int, output_dim: int, kind: HeadName) -> list[nn.Linear]:
    last = nn.Linear(dimension, output_dim)
    nn.init.orthogonal_(last.weight)
    nn.init.zeros_(last.bias)
    if kind == "linear":
        return [last]
    first = nn.Linear(dimension, dimension)
    nn.init.eye_(first.weight)
    nn.init.zeros_(first.bias)
    return [first, last]


def _dense(layer: nn.Linear, activation: nn.Module) -> Dense:
    made = Dense(layer.in_features, layer.out_features, activation_function=activation)
    made.linear = layer
    return made
