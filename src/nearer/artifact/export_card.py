"""README.md of an export: what it is, how near to the artifact, and how to embed without nearer."""

from pathlib import Path

from nearer.artifact.card import plain
from nearer.artifact.manifest import Manifest
from nearer.encoder.onnx import PREPARES_PICTURES
from nearer.encoder.towers import FOLDERS

TEXTS = '''\
```python
import json

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

folder = "path/to/this/folder"
with open(f"{folder}/nearer.json") as file:
    prompts = json.load(file)["export"]["prompts"]


def load(part):
    """Load a graph and its tokenizer."""
    session = onnxruntime.InferenceSession(f"{part}/model.onnx")
    return session, Tokenizer.from_file(f"{part}/tokenizer.json")


def encode(model, texts, prompt):
    """Embed texts: shape (n, dimension)."""
    session, tokenizer = model
    encodings = tokenizer.encode_batch([prompt + text for text in texts])
    parts = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    names = [given.name for given in session.get_inputs()]
    given = {name: np.array([getattr(e, parts[name]) for e in encodings]) for name in names}
    return session.run(None, given)[0]


query_model = load({query})
queries = encode(query_model, ["a query"], prompts.get("query", ""))
{documents}```'''

DOCUMENTS = """\
index_model = {index}
documents = encode(index_model, ["a text", "another"], prompts.get("document", ""))
print(queries @ documents.T)  # of length 1 where the model normalises
"""

PICTURES = """\
```python
import onnxruntime
from PIL import Image
from transformers import AutoImageProcessor

part = {index}
session = onnxruntime.InferenceSession(f"{{part}}/model.onnx")
processor = AutoImageProcessor.from_pretrained(part)
pictures = [Image.open(path).convert("RGB") for path in ["a.jpg", "b.jpg"]]
given = {{"pixel_values": processor(images=pictures, return_tensors="np")["pixel_values"]}}
embeddings = session.run(None, given)[0]
```"""


def export_card(manifest: Manifest, folder: Path) -> str:
    """Write the README of an export.

    Args:
        manifest: Of the export.
        folder: Its graphs: what lies there decides which code is shown.
    """
    two = (folder / FOLDERS["query"]).is_dir()
    pictures = (folder / (FOLDERS["document"] if two else "") / PREPARES_PICTURES).is_file()
    said = manifest.export
    near = said["parity"]
    whole = 'f"{folder}/query"' if two else "folder"
    lines = [
        f"# {plain(manifest.name)}, as {said['format']}",
        "",
        f"{plain(manifest.base_model)}, fine-tuned with nearer and exported; embeddings of "
        f"{manifest.dimension} dimensions. Cosine to the artifact's own embeddings: at least "
        f"{near['least']:.6f}, {near['mean']:.6f} in the mean, on {near['rows']} rows.",
        "",
        "    nearer encode path/to/this/folder INPUT -o FILE.npy",
        "    nearer evaluate path/to/this/folder --query-data … --index-data …",
        "",
    ]
    if not pictures or two:
        index = 'load(f"{folder}/index")' if two else "query_model"
        documents = "" if pictures else DOCUMENTS.replace("{index}", index)
        lines += [TEXTS.replace("{query}", whole).replace("{documents}", documents), ""]
    if pictures:
        part = '"path/to/this/folder/index"' if two else '"path/to/this/folder"'
        lines += [PICTURES.format(index=part), ""]
    if manifest.metrics:
        rows = [f"| {plain(n)} | {v:.5f} |" for n, v in manifest.metrics.items() if v is not None]
        lines += ["| metric | value |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)
