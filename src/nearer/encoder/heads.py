"""Adding a projection head, so that embeddings have the length that the user asked for."""

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize
from torch import nn

from nearer.encoder.module import ModuleEncoder
from nearer.encoder.sentence import SentenceTransformerEncoder
from nearer.encoder.vision import PictureEncoder


def with_head(
    encoder: SentenceTransformerEncoder | ModuleEncoder, output_dim: int
) -> SentenceTransformerEncoder | ModuleEncoder:
    """Add a linear projection to `output_dim`; what follows the pooling stays behind it.

    The projection starts as a random rotation (orthogonal rows), which keeps angles as well as a
    linear map can, so that training starts near the encoder that came.
    """
    if isinstance(encoder, SentenceTransformerEncoder):
        modules = list(encoder.model)
        at = len(modules) - 1 if isinstance(modules[-1], Normalize) else len(modules)
        head = Dense(encoder.dimension, output_dim, activation_function=nn.Identity())
        nn.init.orthogonal_(head.linear.weight)
        nn.init.zeros_(head.linear.bias)
        modules.insert(at, head)
        model = SentenceTransformer(
            modules=modules,
            prompts=encoder.model.prompts,
            default_prompt_name=encoder.model.default_prompt_name,
            similarity_fn_name=encoder.model.similarity_fn_name,
            device=str(encoder.model.device),
        )
        headed = SentenceTransformerEncoder(model, encoder.name, encoder.precision, head=at)
        headed.keep_adapter = encoder.keep_adapter
        return headed
    linear = nn.Linear(encoder.dimension, output_dim)
    nn.init.orthogonal_(linear.weight)
    nn.init.zeros_(linear.bias)
    other = encoder.around(nn.Sequential(encoder.module, linear), output_dim, head=True)
    if isinstance(other, PictureEncoder):
        other.recipe = {**other.recipe, "heads": [*other.recipe["heads"], output_dim]}
    return other
