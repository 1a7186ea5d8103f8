"""`nearer search`: one query, lines of stdin, a prompt; what ends it."""

import io
import json
from pathlib import Path

import pytest
from support.cli import Bench

import nearer
from nearer.encoder.embedding import encode


class Typed(io.StringIO):
    """Lines as a person types them; Ctrl-C where the line says so."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:
        line = super().readline(size)
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


def test_a_query_finds_what_is_nearest_in_order(bench: Bench) -> None:
    index = bench.files["index_data"]
    found = bench.json("search", bench.model, index, "the best red hat for winter", "--limit", 3)
    assert found["query"] == "the best red hat for winter"
    first, *rest = found["results"]
    assert (first["rank"], first["text"]) == (1, "the best red hat for winter")
    assert first["score"] == pytest.approx(1)
    assert [hit["rank"] for hit in rest] == [2, 3]
    assert first["score"] > rest[0]["score"] > rest[1]["score"]
    ran = bench.run("search", bench.model, index, "the best red hat for winter", "--limit", 1)
    assert ran.out.split() == f"1 1.0000 {first['id']} the best red hat for winter".split()


@pytest.mark.parametrize("ending", ["\nred coat\n", "^C\n"])
def test_a_session_ends_with_an_empty_line_or_quietly_with_ctrl_c(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr("sys.stdin", Typed("green boots\nred hat\n" + ending))
    ran = bench.run("search", bench.model, bench.files["index_data"], "--limit", 2)
    assert ran.code == (130 if "^C" in ending else 0)
    assert len(ran.out.splitlines()) == 4
    assert ran.err.count("query> ") == 3
    assert "error" not in ran.err


def test_lines_of_a_pipe_are_queries_and_an_object_each(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("green boots\nred hat"))
    ran = bench.run("search", bench.model, bench.files["index_data"], "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["query"] for line in lines] == ["green boots", "red hat"]
    assert "query>" not in ran.err


def test_the_second_start_embeds_no_row_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEARER_CACHE", str(tmp_path / "cache"))
    embedded: list[int] = []

    def counted(encoder, items, side, **options):
        embedded.append(len(items))
        return encode(encoder, items, side, **options)

    monkeypatch.setattr("nearer.encoder.sharing.encode", counted)
    for query in ("red hat", "green coat"):
        assert bench.run("search", bench.model, bench.files["index_data"], query).code == 0
    assert embedded == [15, 1, 1]


def test_a_query_that_cannot_be_embedded_leaves_the_session_open(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sulky(self, items, side):
        raise ValueError("no\nmore")

    monkeypatch.setattr("sys.stdin", io.StringIO("what nobody asked\n"))
    encoder = "nearer.encoder.sentence.SentenceTransformerEncoder.prepare"
    bench.run("search", bench.model, bench.files["index_data"], "red")  # the index is kept now
    monkeypatch.setattr(encoder, sulky)
    ran = bench.run("search", bench.model, bench.files["index_data"])
    assert (ran.code, ran.out) == (0, "")
    assert 'error: the model cannot embed "what nobody asked", a text (no)' in ran.err


def test_an_export_is_searched_like_its_artifact(bench: Bench, toy_files: dict[str, str]) -> None:
    run = nearer.fit(**{**bench.options(), "epochs": 1})
    printed = bench.json("export", run.artifact, "--format", "onnx-int8")
    assert set(printed["metrics"]) == {"artifact", "export"}
    words = ("search", printed["folder"], toy_files["index_data"], "red shoes for the winter")
    theirs, ours = bench.json(*words), bench.json("search", run.artifact, *words[2:])
    assert theirs["results"][0]["id"] == ours["results"][0]["id"]
    lines = bench.run("export", run.artifact).out.splitlines()
    assert lines[1].startswith("cosine to the artifact: at least 1.000000")


def test_faults_come_all_at_once(bench: Bench) -> None:
    ran = bench.run("search", bench.model, "x.csv", " ", "--limit", 0, "--columns", "text")
    assert ran.code == 2
    for option in ("query", "limit", "columns"):
        assert f"  - {option}: " in ran.err
