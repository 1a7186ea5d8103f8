"""WiSE-FT in a run: what it leaves is what the artifact scores, and the curve is in the record."""

from pathlib import Path

import pytest

import nearer
from nearer import EarlyStopping, WiSEFT


@pytest.mark.parametrize("part", [{}, {"lora": 2}, {"freeze": 1}, {"output_dim": 8}])
def test_after_is_what_the_artifact_scores(
    part: dict, toy_files: dict[str, str], tiny_bert: Path, tmp_path: Path
) -> None:
    mix = {"name": "WiSEFT", "alpha": 0.5}
    run = nearer.fit(
        model=str(tiny_bert),
        **toy_files,
        **part,
        epochs=1,
        learning_rate=0.01,
        callbacks=[mix],
        keep="last",
        runs_dir=tmp_path / "runs",
    )
    assert run.record["wise_ft"]["alpha"] == 0.5
    assert [point["epoch"] for point in run.history] == [0, 1, 1]
    after = run.metrics()["after"]
    assert after == run.history[-1]["metrics"]
    data = {name: path for name, path in toy_files.items() if name != "train_data"}
    again = nearer.evaluate(str(run.artifact), **data).metrics
    for name, value in again.items():
        assert after[name] == pytest.approx(value, abs=1e-6), name


def test_the_sweep_is_told_in_the_record_and_in_the_log(
    toy_files: dict[str, str], tiny_bert: Path, tmp_path: Path
) -> None:
    mix = WiSEFT(alphas=(0.0, 0.5, 1.0))
    run = nearer.fit(
        model=str(tiny_bert),
        **toy_files,
        epochs=2,
        learning_rate=0.01,
        callbacks=[mix, EarlyStopping()],
        runs_dir=tmp_path / "runs",
    )
    said = run.record["wise_ft"]
    assert said == mix.result
    best = max(said["curve"], key=lambda one: one["value"])
    assert run.metrics()["after"][said["monitor"]] == best["value"]
    assert said["curve"][0]["value"] == run.metrics()["before"][said["monitor"]]
    assert run.logs().count("WiSE-FT: alpha ") == 3


def test_two_that_would_choose_by_different_metrics(
    toy_files: dict[str, str], tiny_bert: Path, tmp_path: Path
) -> None:
    with pytest.raises(nearer.NearerError, match="by different metrics") as caught:
        nearer.fit(
            model=str(tiny_bert),
            **toy_files,
            callbacks=[WiSEFT(monitor="recall_at_k"), EarlyStopping("ndcg_at_k"), WiSEFT(0.5)],
            runs_dir=tmp_path / "runs",
        )
    assert "WiSEFT: there are several" in str(caught.value)
