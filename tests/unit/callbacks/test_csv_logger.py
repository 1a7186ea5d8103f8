"""CSVLogger: what stands in the file."""

import csv

import pytest
from support.faults import Boom, FailAt
from support.recorder import Values
from support.toy import ToyBatches, toy_fit

from nearer.callbacks import CSVLogger, LambdaCallback


def read(path, separator=","):
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter=separator))


def test_a_line_for_each_point_and_nothing_where_nothing_was_reported(tmp_path):
    path = tmp_path / "new" / "folder" / "metrics.csv"
    result = toy_fit(CSVLogger(path), Values([0.25, 0.5, 0.75]), val=ToyBatches(3))
    header, *lines = read(path)
    assert header == ["epoch", "step", "score", "train_loss", "val_loss"]
    assert [line[:3] for line in lines] == [
        ["0", "0", "0.25"],
        ["1", "2", "0.5"],
        ["2", "4", "0.75"],
    ]
    assert lines[0][3] == ""
    for line, point in zip(lines[1:], result.history[1:], strict=True):
        assert float(line[3]) == point.metrics["train_loss"]
        assert float(line[4]) == point.metrics["val_loss"]


def test_separators_in_names_are_quoted(tmp_path):
    path = tmp_path / "m.csv"
    toy_fit(CSVLogger(path, separator=";"), Values([1, 2], name='a;"b'), epochs=1)
    assert read(path, ";")[0] == ["epoch", "step", 'a;"b', "train_loss"]


def test_a_line_is_on_disk_as_soon_as_its_point_is_done(tmp_path):
    path, seen = tmp_path / "m.csv", []
    look = LambdaCallback(on_epoch_begin=lambda ctx: seen.append(len(read(path))))
    toy_fit(CSVLogger(path), look)
    assert seen == [2, 3]


def test_what_is_there_is_replaced_at_each_fit(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("old")
    logger = CSVLogger(path)
    for epochs in (3, 1):
        toy_fit(logger, epochs=epochs)
        assert len(read(path)) == 1 + 1 + epochs


def test_the_file_is_whole_after_an_error_and_where_there_was_none(tmp_path):
    path = tmp_path / "m.csv"
    logger = CSVLogger(path)
    with pytest.raises(Boom):
        toy_fit(FailAt("on_fit_begin"), logger)
    assert not path.exists()
    with pytest.raises(Boom):
        toy_fit(logger, FailAt("on_epoch_begin"))
    assert len(read(path)) == 2


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        toy_fit(CSVLogger(tmp_path / "file" / "m.csv"))
    assert caught.value.__notes__[0].startswith("raised by CSVLogger.on_fit_begin")
