"""How to use an artifact, as its card says it: by which library, and as an index."""

import json
from contextlib import suppress
from pathlib import Path

from nearer.artifact.manifest import Manifest

SENTENCE_TRANSFORMERS = """```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")  # or its id on the hub
queries = model.encode_query(["a query"])
documents = model.encode_document(["a text", "another"])
print(model.similarity(queries, documents))
```"""

USE = {
    "sentence-transformers": SENTENCE_TRANSFORMERS,
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

POOL = {
    "mean": """mask = tokens["attention_mask"].unsqueeze(-1)
embeddings = (states * mask).sum(1) / mask.sum(1)""",
    "cls": "embeddings = states[:, 0]",
}

TRANSFORMERS = """### With transformers

```python
import torch
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
model = AutoModel.from_pretrained("path/to/this/folder").eval()
texts = ["a text", "another"]{prompt}
tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    states = model(**tokens).last_hidden_state
{pool}
```"""
TOKENIZER = "tokenizer_config.json"
NORMALIZE = "\nembeddings = torch.nn.functional.normalize(embeddings)"

INDEX = """### As the index of a vector database

Vectors have {dimension} dimensions, float32; compare them by {distance}. Embed documents with
`encode_document` and queries with `encode_query`, both by this model: vectors of another one, or of
the model before fine-tuning, do not fit. With pgvector:

```sql
CREATE TABLE documents (id text PRIMARY KEY, embedding vector({dimension}));
CREATE INDEX ON documents USING hnsw (embedding {operators});
SELECT id FROM documents ORDER BY embedding {operator} $1 LIMIT 10;
```"""

DISTANCES = {
    "cosine": ("cosine", "vector_cosine_ops", "<=>"),
    "dot": ("inner product", "vector_ip_ops", "<#>"),
    "euclidean": ("Euclidean distance", "vector_l2_ops", "<->"),
}


def how_to_use(manifest: Manifest, transformers: str) -> str:
    """The section of the card: sentence-transformers, transformers where it can, an index."""
    given = manifest.spec.get("distance")
    distance, operators, operator = DISTANCES.get(str(given), DISTANCES["cosine"])
    index = INDEX.format(
        dimension=manifest.dimension, distance=distance, operators=operators, operator=operator
    )
    use = USE["catalog" if manifest.recipes else manifest.kind]
    return "\n\n".join(part for part in (use, transformers, index) if part)


def transformers_use(folder: Path, query_prompt: str | None) -> str:
    """How to use a saved model without sentence-transformers; empty where it is more than that.

    Args:
        folder: Of the model.
        query_prompt: What is put before queries.
    """
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        path = folder / modules[1]["path"] / "config.json"
        pooling = json.loads(path.read_text(encoding="utf-8"))
        pool = POOL.get(pooling["pooling_mode"])
        is_plain = kinds in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
        if is_plain and pool and pooling["include_prompt"] and (folder / TOKENIZER).is_file():
            prompt = f"  # queries: with {json.dumps(query_prompt)} before" if query_prompt else ""
            last = NORMALIZE if "Normalize" in kinds else ""
            return TRANSFORMERS.format(prompt=prompt, pool=pool + last)
    return ""
