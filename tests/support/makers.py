"""Writes what no table of texts can hold: binary files, broken models, artifacts and runs.

Each function takes the folder of a case and the folder of a tiny model; what it returns can be
named in the case's Python expression.
"""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import torch
from PIL import Image

from nearer.artifact.manifest import FILENAME, Manifest
from nearer.artifact.store import save_artifact
from nearer.encoder.module import ModuleEncoder
from support.tiny import Letters


def binary_csv(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_bytes(b"query,document\n\x00\x01\x02,\xff\n")


def latin_csv(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_bytes("query,document\nred hat,a hat\ncafé,coffee\n".encode("latin-1"))


def latin_jsonl(folder: Path, model: Path) -> None:
    (folder / "t.jsonl").write_bytes('{"query": "é", "document": "a"}\n'.encode("latin-1"))


def utf16_without_mark(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_bytes("query,document\na,b\n".encode("utf-16-le"))


def zipped_csv(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_bytes(b"PK\x03\x04rest")


def gzipped_csv_without_its_name(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_bytes(gzip.compress(b"query,document\na,b\n"))


def truncated_gz(folder: Path, model: Path) -> None:
    (folder / "t.csv.gz").write_bytes(gzip.compress(b"query,document\na,b\n" * 99)[:40])


def gz_that_is_none(folder: Path, model: Path) -> None:
    (folder / "t.csv.gz").write_bytes(b"query,document\na,b\n")


def only_a_mark(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_bytes(b"\xef\xbb\xbf")


def parquet_that_is_none(folder: Path, model: Path) -> None:
    (folder / "t.parquet").write_bytes(b"PAR1 and no more")


def empty_parquet(folder: Path, model: Path) -> None:
    (folder / "t.parquet").write_bytes(b"")


def numbers_for_texts(folder: Path, model: Path) -> None:
    table = pa.table({"query": [[1, 2]], "document": ["a"]})
    parquet.write_table(table, folder / "t.parquet")


def deep_jsonl(folder: Path, model: Path) -> None:
    nested = "[" * 9000 + "]" * 9000
    (folder / "t.jsonl").write_text('{"query": "a", "document": "b", "x": ' + nested + "}\n")


def null_jsonl(folder: Path, model: Path) -> None:
    (folder / "t.jsonl").write_text('null\n{"query": "a", "document": "b"}\n')


def long_cell(folder: Path, model: Path) -> None:
    (folder / "t.csv").write_text("query,document\na,b\nc," + "d" * 10_000_001 + "\n")


def picture_of_text(folder: Path, model: Path) -> None:
    (folder / "a.png").write_text("no picture")


def huge_picture(folder: Path, model: Path) -> None:
    """The head of a PNG of 60,000 by 60,000 pixels."""
    Image.new("1", (9, 9)).save(folder / "a.png")
    data = bytearray((folder / "a.png").read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (folder / "a.png").write_bytes(data)


def postscript(folder: Path, model: Path) -> None:
    (folder / "a.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    )


def truncated_picture(folder: Path, model: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    data = (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(data[: len(data) // 2])


def folder_of_splits(folder: Path, model: Path) -> None:
    (folder / "data" / "train").mkdir(parents=True)
    (folder / "data" / "dataset_dict.json").write_text("{}")


def npy_of_nan(folder: Path, model: Path) -> None:
    array = np.eye(3, dtype=np.float32)
    array[1, 1] = np.nan
    np.save(folder / "v.npy", array)


def npy_of_objects(folder: Path, model: Path) -> None:
    np.save(folder / "v.npy", np.array([[{}]], dtype=object), allow_pickle=True)


def npy_of_text(folder: Path, model: Path) -> None:
    np.save(folder / "v.npy", np.array([["a", "b"]]))


def npy_of_one_dimension(folder: Path, model: Path) -> None:
    np.save(folder / "v.npy", np.ones(3))


def npy_of_two_rows(folder: Path, model: Path) -> None:
    np.save(folder / "v.npy", np.ones((2, 3)))


def npy_of_no_rows(folder: Path, model: Path) -> None:
    np.save(folder / "v.npy", np.ones((0, 3)))


def npy_that_lies(folder: Path, model: Path) -> None:
    """Its head says 10^15 rows, and it has three."""
    np.save(folder / "v.npy", np.ones((3, 3)))
    data = (folder / "v.npy").read_bytes()
    said = data.replace(b"(3, 3), }" + b" " * 13, b"(1000000000000000, 3), }")
    (folder / "v.npy").write_bytes(said)


def npy_truncated(folder: Path, model: Path) -> None:
    np.save(folder / "v.npy", np.ones((3, 3)))
    data = (folder / "v.npy").read_bytes()
    (folder / "v.npy").write_bytes(data[:-9])


def sides_of_other_dimensions(folder: Path, model: Path) -> None:
    np.save(folder / "q.npy", np.ones((3, 3)))
    np.save(folder / "i.npy", np.ones((3, 4)))


def ragged_vectors(folder: Path, model: Path) -> None:
    feather.write_feather(
        pa.table({"embedding": [[1.0, 2.0], [1.0], [0.5, 1]]}), folder / "v.arrow"
    )


def null_vectors(folder: Path, model: Path) -> None:
    feather.write_feather(pa.table({"embedding": [[1.0, 2.0], None, [0, 1]]}), folder / "v.arrow")


def two_columns_of_vectors(folder: Path, model: Path) -> None:
    feather.write_feather(pa.table({"a": [[1.0]], "b": [[1.0]]}), folder / "v.arrow")


def no_column_of_vectors(folder: Path, model: Path) -> None:
    feather.write_feather(pa.table({"id": ["a"]}), folder / "v.arrow")


# Models


def _copy(folder: Path, model: Path) -> Path:
    return Path(shutil.copytree(model, folder / "broken"))


def _add_module(folder: Path, model: Path, **values: Any) -> None:
    copy = _copy(folder, model)
    modules = json.loads((copy / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "3_Mine", **values})
    (copy / "modules.json").write_text(json.dumps(modules))


def model_with_os_system(folder: Path, model: Path) -> None:
    _add_module(folder, model, type="os.system")


def model_with_code(folder: Path, model: Path) -> None:
    _add_module(folder, model, type="modeling.Mine")
    (folder / "broken" / "modeling.py").write_text("raise SystemExit(3)\n")


def model_by_way_of_an_import(folder: Path, model: Path) -> None:
    """A class path that leads through sentence-transformers' own import of torch."""
    _add_module(folder, model, type="sentence_transformers.base.model.torch")


def model_with_a_part_outside(folder: Path, model: Path) -> None:
    _add_module(
        folder, model, path="../other", type="sentence_transformers.base.modules.dense.Dense"
    )


def model_with_a_pickled_part(folder: Path, model: Path) -> None:
    _add_module(folder, model, type="sentence_transformers.base.modules.dense.Dense")
    (folder / "broken" / "3_Mine").mkdir()
    torch.save({"a": torch.ones(1)}, folder / "broken" / "3_Mine" / "pytorch_model.bin")


def model_with_a_router(folder: Path, model: Path) -> None:
    _add_module(folder, model, type="sentence_transformers.base.modules.router.Router")
    (folder / "broken" / "3_Mine").mkdir()
    routes = {"types": {"query_0": "os.system"}, "structure": {"query": ["query_0"]}}
    (folder / "broken" / "3_Mine" / "router_config.json").write_text(json.dumps(routes))


def model_of_auto_map(folder: Path, model: Path) -> None:
    copy = _copy(folder, model)
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModel": "mine.M"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "mine.py").write_text("raise SystemExit(3)\n")


def model_pickled(folder: Path, model: Path) -> None:
    copy = _copy(folder, model)
    (copy / "model.safetensors").unlink()
    torch.save({"a": torch.ones(1)}, copy / "pytorch_model.bin")


def model_truncated(folder: Path, model: Path) -> None:
    weights = _copy(folder, model) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def model_corrupted(folder: Path, model: Path) -> None:
    weights = _copy(folder, model) / "model.safetensors"
    weights.write_bytes(b"\xff" * 8 + weights.read_bytes()[8:])


def model_without_weights(folder: Path, model: Path) -> None:
    (_copy(folder, model) / "model.safetensors").unlink()


def model_without_config(folder: Path, model: Path) -> None:
    (_copy(folder, model) / "config.json").unlink()


def model_without_tokenizer(folder: Path, model: Path) -> None:
    (_copy(folder, model) / "tokenizer.json").unlink()


def model_of_no_modules(folder: Path, model: Path) -> None:
    (_copy(folder, model) / "modules.json").write_text('{"a": 1}')


def model_of_no_json(folder: Path, model: Path) -> None:
    (_copy(folder, model) / "modules.json").write_text("[{")


def model_of_other_shapes(folder: Path, model: Path) -> None:
    copy = _copy(folder, model)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))


# Artifacts and runs


def artifact(folder: Path, model: Path) -> Path:
    manifest = Manifest("module", "letters", "letters", 8, module_class="support.tiny.Letters")
    save_artifact(ModuleEncoder(Letters(), dimension=8), folder / "artifact", manifest)
    return folder / "artifact"


def _change(folder: Path, model: Path, **values: Any) -> None:
    path = artifact(folder, model) / FILENAME
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def artifact_with_a_flipped_byte(folder: Path, model: Path) -> None:
    weights = artifact(folder, model) / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def artifact_without_a_file(folder: Path, model: Path) -> None:
    (artifact(folder, model) / "model.safetensors").unlink()


def artifact_with_a_file_outside(folder: Path, model: Path) -> None:
    _change(folder, model, files={"../secret": "0" * 64})


def artifact_with_a_link_outside(folder: Path, model: Path) -> None:
    weights = artifact(folder, model) / "model.safetensors"
    weights.rename(folder / "elsewhere")
    weights.symlink_to(folder / "elsewhere")


def artifact_of_no_json(folder: Path, model: Path) -> None:
    (artifact(folder, model) / FILENAME).write_text("{")


def artifact_of_a_later_format(folder: Path, model: Path) -> None:
    _change(folder, model, format=2)


def artifact_of_an_unknown_kind(folder: Path, model: Path) -> None:
    _change(folder, model, kind="pickle")


def artifact_with_a_name_that_is_none(folder: Path, model: Path) -> None:
    _change(folder, model, name=["a"])


def artifact_that_lacks_a_dimension(folder: Path, model: Path) -> None:
    path = artifact(folder, model) / FILENAME
    values = json.loads(path.read_text())
    del values["dimension"]
    path.write_text(json.dumps(values))


def _run(folder: Path, text: str) -> None:
    path = folder / "runs" / "default" / "mine"
    path.mkdir(parents=True)
    (path / "run.json").write_text(text)


RECORD = {
    "status": "finished",
    "created": "2026-01-01T00:00:00+00:00",
    "spec": {"model": "minilm"},
    "process": {},
    "stop_reason": {"kind": "completed", "detail": "all 2 epochs"},
}


def run_that_exists(folder: Path, model: Path) -> None:
    _run(folder, json.dumps(RECORD))


def run_in_two_experiments(folder: Path, model: Path) -> None:
    run_that_exists(folder, model)
    shutil.copytree(folder / "runs" / "default", folder / "runs" / "other")


def run_of_no_json(folder: Path, model: Path) -> None:
    _run(folder, "{")


def run_that_is_none(folder: Path, model: Path) -> None:
    _run(folder, "[]")


def run_of_an_unknown_end(folder: Path, model: Path) -> None:
    _run(folder, json.dumps({**RECORD, "stop_reason": {"kind": "boredom", "detail": "d"}}))


def run_with_a_torn_history(folder: Path, model: Path) -> None:
    run_that_exists(folder, model)
    (folder / "runs/default/mine/metrics.jsonl").write_text('{"epoch": 0\n')


def file_for_runs(folder: Path, model: Path) -> None:
    (folder / "runs").write_text("no folder")


def spec_of_bytes(folder: Path, model: Path) -> None:
    (folder / "s.toml").write_bytes(b"epochs = 3 # \xff\n")
