"""The model card of an artifact: README.md, made from its manifest."""

import re

from nearer.artifact.manifest import Manifest

HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
"""What can be a link to the hub, and needs no escaping in YAML."""

USE = {
    "sentence-transformers": """```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
embeddings = model.encode(["a text", "another"])
```""",
    "towers": """```python
from sentence_transformers import SentenceTransformer

query = SentenceTransformer("path/to/this/folder/query")
index = SentenceTransformer("path/to/this/folder/index")
```""",
    "module": """```python
import nearer

encoder = nearer.load("path/to/this/folder", module=YourModule())
```""",
    "catalog": """```python
import nearer

encoder = nearer.load("path/to/this/folder")
embeddings = nearer.encode("path/to/this/folder", "pictures.csv")
```""",
}


def model_card(manifest: Manifest) -> str:
    """Write the card: what it is, how to use it, what it scored."""
    metadata = ["---", "library_name: sentence-transformers", "pipeline_tag: sentence-similarity"]
    if HUB_ID.fullmatch(manifest.base_model):
        metadata.append(f'base_model: "{manifest.base_model}"')
    metadata += ["tags:", "- sentence-transformers", "- nearer", "---"]
    rows = [f"| {plain(n)} | {v:.5f} |" for n, v in manifest.metrics.items() if v is not None]
    scored = ["| metric | value |", "| --- | --- |", *rows] if rows else ["It was not evaluated."]
    return "\n".join(
        [
            *metadata,
            "",
            f"# {plain(manifest.name)}, fine-tuned",
            "",
            f"{plain(manifest.base_model)}, fine-tuned with nearer; embeddings of "
            f"{manifest.dimension} dimensions, computed in {plain(manifest.precision)}.",
            "",
            "## Use",
            "",
            USE["catalog" if manifest.recipes else manifest.kind],
            "",
            "## What it scored",
            "",
            f"Definitions: {plain(manifest.definitions)}.",
            "",
            *scored,
            "",
        ]
    )


def plain(text: str) -> str:
    """A text that cannot become markup: names come from users and from other people's folders."""
    line = " ".join(text.split())  # every break of a line, those of Unicode too
    shown = "".join(c for c in line if c.isprintable())
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#|!&~" else c for c in shown)
