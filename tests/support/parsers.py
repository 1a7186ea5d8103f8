"""The parsers of nearer that read what others wrote, as harnesses for fuzzing."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image
from safetensors.numpy import save

from nearer.artifact.manifest import FILENAME, Manifest, read_manifest, verify
from nearer.data.columns import read_examples
from nearer.data.evaluation_sets import judgments, read_collection, read_qrels
from nearer.data.pictures import image_cells
from nearer.data.reading import read_rows
from nearer.data.rows import BadRows
from nearer.encoder.pictures import rgb_of
from nearer.encoder.trust import check_folder
from nearer.errors import NearerError
from nearer.evaluation.vectors import open_vectors
from nearer.run.handle import Run
from nearer.run.record import RunFolder
from nearer.run.report_parts import curves
from nearer.run.spec import parse
from nearer.run.spec_file import read_spec_file
from support.fuzzing import Harness, Parse

QUERIES = [{"id": "q1", "text": "red hat"}, {"id": "q2", "text": "blue coat"}]


def rows_as(suffix: str) -> Parse:
    """Read a file of this suffix as training data and as an index; look at every cell."""

    def read(data: bytes, folder: Path) -> None:
        path = folder / f"a{suffix}"
        path.write_bytes(data)
        failures = []
        for reader in (read_examples, read_collection):
            try:
                reader(path, on_bad_row="skip")
            except NearerError as error:
                failures.append(error)
        read_rows(path).table.to_pylist()
        if len(failures) == 2:
            raise failures[0]

    return read


def qrels(data: bytes, folder: Path) -> None:
    path = folder / "qrels.tsv"
    path.write_bytes(data)
    found = read_qrels(path)
    query = read_collection(QUERIES)
    judgments(found, query, query)


def spec(data: bytes, folder: Path) -> None:
    path = folder / "spec.toml"
    path.write_bytes(data)
    parse({"model": "minilm", "train_data": "t.csv", **read_spec_file(path)})


def manifest(data: bytes, folder: Path) -> None:
    (folder / FILENAME).write_bytes(data)
    (folder / "README.md").write_text("card")
    found = read_manifest(folder)
    verify(folder, found)
    json.dumps(found.name.split("-to-", 1))


def record(data: bytes, folder: Path) -> None:
    """run.json, metrics.jsonl and losses.json, a zero byte between them; their curves too."""
    said, _, rest = data.partition(b"\0")
    points, _, losses = rest.partition(b"\0")
    folder = RunFolder(folder)
    folder.record.write_bytes(said)
    folder.metrics.write_bytes(points)
    folder.losses.write_bytes(losses)
    run = Run(folder.path)
    run.result()
    repr(run)
    run.stop_reason  # noqa: B018
    run.evaluations  # noqa: B018
    for plot in curves([("", run)], None):
        repr([plot.description, plot.epochs, [plot.line(one) for one in plot.series]])


def model_folder(data: bytes, folder: Path) -> None:
    """modules.json and the weights, four bars between them."""
    said, _, weights = data.partition(b"||||")
    (folder / "modules.json").write_bytes(said)
    (folder / "model.safetensors").write_bytes(weights)
    check_folder(folder, str(folder))


def vectors(data: bytes, folder: Path) -> None:
    path = folder / "v.npy"
    path.write_bytes(data)
    open_vectors(path, "embeddings").all()


def picture(data: bytes, folder: Path) -> None:
    path = folder / "p.png"
    path.write_bytes(data)
    rows = read_rows([{"image": str(path)}])
    image_cells(rows, "image", BadRows(rows))
    rgb_of(path)


CSV = (
    b'query,document\nred hat,a hat\nblue coat,"a coat, blue"\n',
    b"text1,text2,score\na,b,0.5\nc,d,1\n",
    b'id,text,label\n1,"a ""hat""\nof felt",x\n2,b,y\n',
    b"\xef\xbb\xbfid;text\r\n1;a\r\n2;b\r\n",
    b"image,label\na.png,x\nb.png,y\n",
)
JSON = (
    b'{"query": "red hat", "document": "a hat"}\n{"query": "b", "document": "c", "negative": "d"}',
    b'{"_id": 1, "title": "A", "text": "b", "label": "x"}\n{"_id": 2, "text": "c", "label": null}',
    b'[{"text1": "a", "text2": "b", "score": 0.5}, {"text1": "c", "text2": "d", "score": "1"}]',
    b'{"id": "2020-01-01", "text": "a", "label": [1, {"b": null}]}\n{"id": 1e400, "text": "b"}',
)
COLUMNS = tuple(n.encode() for n in "query document text label image score id negative_1".split())


def _table(kind: str) -> bytes:
    table = pa.table({"query": ["red hat", "blue"], "document": ["a", None], "id": [1, 2]})
    out = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(table, out)
    else:
        with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(out, table.schema) as file:
            file.write_table(table)
    return out.getvalue()


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (5, 4), "red").save(out, kind)
    return out.getvalue()


MANIFEST = Manifest(
    "sentence-transformers",
    "minilm",
    "a/b",
    384,
    metrics={"ndcg": 0.5},
    files={"README.md": "0" * 64},
)
RECORD = {
    "format": 1,
    "name": "a",
    "experiment": "b",
    "status": "finished",
    "stop_reason": {"kind": "completed", "detail": "d"},
    "created": "2026-01-01T00:00:00+00:00",
    "spec": {"model": "minilm", "seed": 1},
    "process": {"host": "h", "pid": 1, "started": "1"},
    "metrics": {"before": {"a": 0.1}, "after": {"a": 0.2}},
    "kept": {"epoch": 1, "step": 3},
    "data": {"evaluation a": {"queries": 3}},
}
SPEC = b"""
epochs = 3
batch_size = 8
cutoffs = [1, 10]
columns = { query = "q" }
loss_options = { temperature = 0.1 }
[[callbacks]]
name = "EarlyStopping"
patience = 2
"""
MODULES = b"""[{"idx": 0, "name": "0", "path": "",
"type": "sentence_transformers.base.modules.transformer.Transformer"},
{"idx": 1, "name": "1", "path": "1_Pooling",
"type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"}]"""

HARNESSES = {
    harness.name: harness
    for harness in (
        Harness("csv", rows_as(".csv"), CSV, (b",", b'"', b"\n", *COLUMNS)),
        Harness("tsv", rows_as(".tsv"), tuple(c.replace(b",", b"\t") for c in CSV), (b"\t",)),
        Harness("jsonl", rows_as(".jsonl"), JSON, (b"{", b"}", b":", b",", *COLUMNS)),
        Harness("json", rows_as(".json"), JSON[2:3], (b"[", b"{", b"}", b"]", *COLUMNS)),
        Harness("parquet", rows_as(".parquet"), (_table("parquet"),)),
        Harness("arrow", rows_as(".arrow"), (_table("file"), _table("stream"))),
        Harness(
            "qrels",
            qrels,
            (
                b"query-id\tcorpus-id\tscore\nq1\tq2\t1\nq2\tq1\t2\n",
                b"q1 0 q2 1\nq2 0 q1 2.0\n",
            ),
            (b"\t", b" ", b"q1", b"q2", b"-1", b"99999999999999999999", b"\xc2\xa0"),
        ),
        Harness(
            "spec", spec, (SPEC,), (b"[", b"]", b"=", b"[[callbacks]]\n", b"inf", b"nan", b"1e400")
        ),
        Harness("manifest", manifest, (MANIFEST.to_json().encode(),), (b"null", b"[]", b"{}")),
        Harness(
            "record",
            record,
            (
                json.dumps(RECORD).encode()
                + b'\0{"epoch": 0, "step": 0, "metrics": {"a": 0.1}, "seconds": 1.0}\n'
                + b'\0[{"step": 3, "epoch": 1, "loss": 0.5, "rows": 8, "learning_rate": 0.1}]',
                json.dumps({**RECORD, "status": "running"}).encode(),
            ),
            (b"null", b"[]", b"{}", b'"running"', b'"created"'),
        ),
        Harness(
            "model_folder",
            model_folder,
            (MODULES + b"||||" + save({"a": np.eye(2)}),),
            (b"..", b"/", b"os.system", b"null", b"||||", b"sentence_transformers."),
        ),
        Harness(
            "npy",
            vectors,
            (
                _npy(np.eye(3, dtype=np.float32)),
                _npy(np.ones((2, 2))),
                _npy(np.array([[{}]], dtype=object)),
            ),
            (b"|O", b"<f2", b"True", b"(9999999999, 9999)", b"(-1, 3)"),
        ),
        Harness("picture", picture, tuple(_picture(k) for k in ("PNG", "JPEG", "GIF", "BMP"))),
    )
}
