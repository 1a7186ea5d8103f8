"""The 46 defects of Finetuner, T1 to T46: each has a test here or, by its number, elsewhere.

What each of them was stands in the docstring or in the name of its test.
"""

import copy
import importlib
import re
import types
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console
from support.tiny import Letters
from support.toy import toy_fit
from support.written import finished, written_run

import nearer
from nearer.errors import ModelError, NearerError, RunNotFound
from nearer.run.record import create

TESTS = Path(__file__).parent
NOTHING_OF_THE_KIND = {"T18": "no training data is synthesised from queries, so nothing is refused"}

ROWS = [{"query": f"{a} {b}", "document": f"{b} of {a}"} for a in "abc" for b in "defg"]
QUERIES = [{"id": str(i), "text": row["query"]} for i, row in enumerate(ROWS)]
DOCUMENTS = [{"id": str(i), "text": row["document"]} for i, row in enumerate(ROWS)]


def test_each_of_them_has_a_test() -> None:
    named = {
        number
        for path in TESTS.rglob("test_*.py")
        for number in re.findall(r"^ *def test_(T\d+)_", path.read_text("utf-8"), re.MULTILINE)
    }
    missing = {f"T{i}" for i in range(1, 47)} - named - set(NOTHING_OF_THE_KIND)
    assert not missing


@pytest.fixture(scope="module")
def qrels(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("defects") / "qrels.tsv"
    lines = "".join(f"{i}\t{i}\t1\n" for i in range(len(ROWS)))
    path.write_text("query-id\tcorpus-id\tscore\n" + lines)
    return str(path)


def fit(folder: Path, model: Any, qrels: str, **options: Any) -> nearer.Run:
    evaluation = nearer.EvaluationCallback(QUERIES, DOCUMENTS, qrels, limit=3)
    usual = {"train_data": ROWS, "epochs": 1, "batch_size": 6, "precision": "fp32"}
    return nearer.fit(model=model, runs_dir=folder, callbacks=[evaluation], **{**usual, **options})


def test_T1_evaluation_data_is_what_the_metrics_are_of(
    tiny_bert: Path, tmp_path: Path, qrels: str
) -> None:
    run = fit(tmp_path, str(tiny_bert), qrels, learning_rate=1e-3)
    for stage, model in (("before", str(tiny_bert)), ("after", run.artifact)):
        alone = nearer.evaluate(model, QUERIES, DOCUMENTS, qrels, limit=3, name="x").metrics
        said = {name.partition("_")[2]: value for name, value in run.metrics()[stage].items()}
        assert {name.removeprefix("x_"): value for name, value in alone.items()}.items() <= (
            said.items()
        )


def test_T6_there_are_logs_before_anything_was_said(tmp_path: Path) -> None:
    folder = create(tmp_path, "default", "mine", {})
    run = nearer.Run(folder.path)
    assert (run.status, run.logs(), run.history) == ("created", "", [])


def test_T7_a_name_may_have_dots(tiny_bert: Path, tmp_path: Path, qrels: str) -> None:
    run = fit(tmp_path, str(tiny_bert), qrels, name="shoes.v1.2", experiment="a.b")
    assert nearer.get_run("shoes.v1.2", runs_dir=tmp_path).artifact == run.artifact
    assert run.artifact == tmp_path / "a.b" / "shoes.v1.2" / "artifact"


def test_T8_the_package_of_callbacks_is_not_hidden_by_a_name() -> None:
    package = importlib.import_module("nearer.callbacks")
    assert isinstance(nearer.callbacks, types.ModuleType)
    assert nearer.callbacks is package
    assert package.EarlyStopping is nearer.EarlyStopping


def test_T14_in_a_notebook_the_bar_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn by IPython's display, not as control codes, and again as it goes on."""
    import rich.live

    drawn: list[str] = []
    console = Console(force_jupyter=True, width=120)
    monkeypatch.setattr(
        rich.live.Live, "refresh", lambda live: drawn.append(str(live.get_renderable()))
    )
    toy_fit(nearer.ProgressBar(console), epochs=2)
    assert len(drawn) >= 2


def test_T15_without_an_experiment_all_are_searched_and_the_error_says_where(
    tmp_path: Path,
) -> None:
    written_run(tmp_path, "keen-otter", [], experiment="shoes")
    assert nearer.get_run("keen-otter", None, tmp_path).experiment == "shoes"
    with pytest.raises(RunNotFound, match=r'no run "keen-oter" in .*Did you mean "keen-otter"'):
        nearer.get_run("keen-oter", None, tmp_path)


def test_T17_what_a_list_holds_is_seen_from_its_items(tiny_bert: Path, tmp_path: Path) -> None:
    assert nearer.encode(str(tiny_bert), ["red shoes", "a hat"]).shape[0] == 2
    path = tmp_path / "red.png"
    Image.new("RGB", (8, 8), "red").save(path)
    rows = [{"image": str(path), "label": label} for label in "aabb"]
    says = f"{tiny_bert.name} does not fit the data: Modality 'image' is not supported"
    with pytest.raises(ModelError, match=says):
        nearer.evaluate(str(tiny_bert), rows)
    with pytest.raises(ModelError, match=says):
        nearer.fit(model=str(tiny_bert), train_data=rows, runs_dir=tmp_path / "runs")
    assert not list((tmp_path / "runs").rglob("run.json"))
    with pytest.raises(ModelError, match="efficientnet-lite0 embeds pictures, and the data has t"):
        nearer.encode("efficientnet-lite0", ["red shoes"])


def test_T19_a_file_has_as_many_rows_as_it_has_lines(tmp_path: Path) -> None:
    from nearer.data.columns import read_examples

    path = tmp_path / "train.csv"
    path.write_text("query,document\nhat,A hat\nhat,A hat\nhat,Another hat\n")
    assert len(read_examples(path)) == 3


def test_T20_any_model_name_can_stand_before_a_metric(tmp_path: Path, qrels: str) -> None:
    model = Letters()
    for name in ("org/model-v2.1", "résnet 50", "a@b"):
        evaluation = nearer.EvaluationCallback(QUERIES, DOCUMENTS, qrels, name=name)
        run = nearer.fit(
            model=model, train_data=ROWS, epochs=1, runs_dir=tmp_path, callbacks=[evaluation]
        )
        assert f"{name}_ndcg_at_k" in run.metrics()["after"]
        assert run.evaluations == [name]


def test_T21_the_artifact_is_there_and_is_a_model(
    tiny_bert: Path, tmp_path: Path, qrels: str
) -> None:
    from sentence_transformers import SentenceTransformer

    run = fit(tmp_path, str(tiny_bert), qrels)
    texts = ["red shoes"]
    alone = SentenceTransformer(str(run.artifact), device="cpu").encode(texts)
    assert (alone == run.model().encode(texts)).all()


def test_T35_the_users_data_is_left_as_it_was(tiny_bert: Path, tmp_path: Path, qrels: str) -> None:
    given = (QUERIES, DOCUMENTS, ROWS)
    before = copy.deepcopy(given)
    nearer.evaluate(str(tiny_bert), QUERIES, DOCUMENTS, qrels)
    fit(tmp_path, str(tiny_bert), qrels)
    assert given == before


def test_T42_all_runs_are_listed(tmp_path: Path) -> None:
    for number in range(60):
        written_run(tmp_path, f"run-{number:02}", [], experiment="shoes")
    assert len(nearer.list_runs("shoes", tmp_path)) == 60


def test_T43_metrics_of_a_run_that_has_not_ended_speak_of_metrics(tmp_path: Path) -> None:
    values = [[0.5, 0.5, 1.0]]
    run = written_run(tmp_path, "mine", values, status="interrupted")
    assert run.metrics() == {"before": {}, "after": {}}
    with pytest.raises(NearerError, match='run "mine" has no artifact: it is interrupted'):
        _ = run.artifact
    ended = written_run(tmp_path, "ended", values * 2, **finished(values * 2, 1))
    assert set(ended.metrics()["after"]) == {"toy_ndcg_at_k"}
