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
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
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


def tokenizer_of_letters(masked: bool = True) -> PreTrainedTokenizerFast:
    """A tokenizer of letters, which ends each text as CLIP's does; SigLIP's makes no mask."""
    tokens = ["[PAD]", "[UNK]", "[START]", "[END]", *string.ascii_lowercase]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[START] $A [END]", special_tokens=[("[START]", 2), ("[END]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[START]",
        eos_token="[END]",
        model_max_length=48,
        model_input_names=["input_ids", "attention_mask"] if masked else ["input_ids"],
    )


def save_tiny_clip(folder: Path, seed: int = 0, kind: str = "clip") -> Path:
    """Write a folder of a CLIP or SigLIP model with random weights (16 dimensions)."""
    text = {"vocab_size": 30, "max_position_embeddings": 48, "eos_token_id": 3, "bos_token_id": 2}
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    vision = {**sizes, "image_size": 16, "patch_size": 8}
    torch.manual_seed(seed)
    square = {"height": 16, "width": 16}
    processor: CLIPProcessor | SiglipProcessor
    model: CLIPModel | SiglipModel
    if kind == "clip":
        config = CLIPConfig(
            text_config={**text, **sizes, "pad_token_id": 0},
            vision_config=vision,
            projection_dim=16,
        )
        model = CLIPModel(config)
        pictures = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=square)
        processor = CLIPProcessor(pictures, tokenizer_of_letters())
    else:
        given = {**text, **sizes, "pad_token_id": 0, "projection_size": 16}
        model = SiglipModel(SiglipConfig(text_config=given, vision_config=vision))
        processor = SiglipProcessor(
            SiglipImageProcessorPil(size=square), tokenizer_of_letters(masked=False)
        )
    target = folder / f"tiny-{kind}"
    model.save_pretrained(target)
    processor.save_pretrained(target)
    return target
