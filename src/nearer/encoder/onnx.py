"""The adapter for an exported model: onnxruntime runs the graph. Exports and trains nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from nearer.encoder.pictures import rgb_of
from nearer.encoder.protocol import Features, Precision, Prepared, Side
from nearer.errors import ModelError

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
PREPARES_PICTURES = "preprocessor_config.json"
OUTPUT = "sentence_embedding"

PARTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""Inputs that a graph may have for texts, by their names in an encoding of `tokenizers`."""

PIXELS = "pixel_values"
"""The input of a graph for pictures."""


class OnnxEncoder:
    """Embeds by an exported graph, on the CPU, with as many threads as torch has.

    Args:
        folder: Holds the graph, and the tokenizer or what prepares pictures.
        name: Short name; prefix of the metrics.
        prompts: What is put before the texts of each side.
        digest: Names the content of the folder, so that embeddings can be found again.

    Raises:
        ModelError: onnxruntime is not installed, or cannot load the graph.
    """

    prepares_ahead = True
    precision: Precision = "fp32"

    def __init__(self, folder: Path, name: str, prompts: Mapping[Side, str], digest: str) -> None:
        self.name, self.digest, self._prompts = name, digest, prompts
        self.module = nn.Module()  # no weights: they are the graph's
        self._session = _session(folder / MODEL)
        self._inputs = [given.name for given in self._session.get_inputs()]
        self._tokenizer, self._pictures = None, None
        try:
            if PIXELS in self._inputs:
                from transformers import AutoImageProcessor

                self._pictures = AutoImageProcessor.from_pretrained(
                    str(folder), local_files_only=True, trust_remote_code=False
                )
            else:
                self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # of Rust, of transformers: there is no common class
            raise ModelError(
                f"{folder}: what prepares its input cannot be read: {error}"
            ) from error

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self._session.get_outputs()[0].shape[-1])

    def prepare(self, items: Sequence[Any], side: Side) -> Prepared:
        """Tokenise texts, or decode pictures (paths) and preprocess them."""
        if self._pictures is not None:
            return self._of_pictures(items)
        if not all(isinstance(item, str) for item in items):
            raise ModelError(f"{self.name} takes texts; a picture was given")
        tokenizer = self._tokenizer
        assert tokenizer is not None
        prompt = self._prompts.get(side, "")
        encodings = tokenizer.encode_batch([prompt + item for item in items])
        whole = {
            name: np.array([getattr(e, PARTS[name]) for e in encodings], dtype=np.int64)
            for name in self._inputs
        }
        mask = np.array([e.attention_mask for e in encodings], dtype=np.int64)
        lengths = mask.sum(axis=1)
        left = (tokenizer.padding or {}).get("direction") == "left"

        def take(rows: np.ndarray) -> Features:
            longest = int(lengths[rows].max(initial=1))
            cut = slice(mask.shape[1] - longest, None) if left else slice(longest)
            return {name: torch.from_numpy(part[rows][:, cut]) for name, part in whole.items()}

        return Prepared(lengths, take)

    def embed(self, features: Features, side: Side) -> Tensor:
        """Run the graph: shape (n, dimension)."""
        given = {name: features[name].cpu().numpy() for name in self._inputs}
        return torch.from_numpy(self._session.run(None, given)[0])

    def save(self, folder: Path) -> None:
        """Refuse: an exported graph is not trained, so there is nothing to save."""
        raise ModelError(f"{self.name} is an exported graph; train the artifact that it came from")

    def fingerprint(self, side: Side) -> str:
        """The prompt; the rest is in `digest`."""
        return repr(self._prompts.get(side, ""))

    def as_it_came(self) -> "OnnxEncoder":
        """Itself."""
        return self

    def _of_pictures(self, items: Sequence[Any]) -> Prepared:
        wrong = next((item for item in items if not isinstance(item, Path)), None)
        if wrong is not None:
            raise ModelError(f'{self.name} takes pictures; a text was given: "{wrong!s:.40}"')
        assert self._pictures is not None
        pictures = [rgb_of(item) for item in items]
        pixels = self._pictures(images=pictures, return_tensors="np")[PIXELS]
        return Prepared(
            np.ones(len(items), dtype=np.int64),
            lambda rows: {PIXELS: torch.from_numpy(np.asarray(pixels)[rows])},
        )


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            "onnxruntime is not installed, which runs exported models; "
            "install the extra: pip install 'nearer[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own classes share no base but this one
        said = str(error).split("\n")[0]
        raise ModelError(f"{path} cannot be loaded by onnxruntime: {said}") from error
