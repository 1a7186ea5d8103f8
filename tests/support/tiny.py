"""Encoders that are real but take milliseconds: a BERT with its own vocabulary, a ViT."""

import string
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

WORDS = (
    "red green blue shoes boots hat coat shirt leather cotton wool warm cold light heavy small "
    "large for with and the a of in is what how which best cheap summer winter rain snow"
).split()


def save_tiny_bert(folder: Path, seed: int = 0) -> Path:
    """Write a SentenceTransformer folder of about 20,000 parameters (32 dimensions)."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *string.ascii_lowercase, *string.digits]
    tokens += [f"##{c}" for c in string.ascii_lowercase + string.digits]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    plain = folder / "plain"
    BertModel(config).save_pretrained(plain)
    fast.save_pretrained(plain)
    transformer = Transformer(str(plain))
    model = SentenceTransformer(
        modules=[transformer, Pooling(32, pooling_mode="mean"), Normalize()], device="cpu"
    )
    target = folder / "tiny-bert"
    model.save_pretrained(str(target), create_model_card=False)
    return target


def save_tiny_vit(folder: Path) -> Path:
    """Write a SentenceTransformer folder for pictures: one layer, 16 dimensions, 16 pixels."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    plain = folder / "plain-vit"
    ViTModel(config).save_pretrained(plain)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(plain)
    modules = [Transformer(str(plain)), Pooling(16, pooling_mode="mean"), Normalize()]
    target = folder / "tiny-vit"
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(
        str(target), create_model_card=False
    )
    return target


class Letters(nn.Module):
    """Embeds a text by its letters: the smallest custom module that learns."""

    def __init__(self, dimension: int = 8) -> None:
        super().__init__()
        self.linear = nn.Linear(26, dimension)

    def prepare(self, texts: list[str]) -> torch.Tensor:
        """Count letters."""
        counts = [[t.count(c) for c in string.ascii_lowercase] for t in texts]
        return torch.tensor(counts, dtype=torch.float32)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Project the counts."""
        return self.linear(batch)
