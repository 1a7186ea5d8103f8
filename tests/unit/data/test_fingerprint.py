import pyarrow as pa
import pytest

from nearer.data.fingerprint import fingerprint
from nearer.data.reading import read_rows

TABLE = pa.table(
    {
        "text": ["a", "", None, "bcä"],
        "n": [1, None, 3, 0],
        "score": [0.5, None, -0.0, 1.0],
        "list": [[1], [], None, [2, 3]],
        "flag": [True, None, False, True],
    }
)


def test_chunks_and_offsets_make_no_difference():
    expected = fingerprint(TABLE)
    assert len(expected) == 64
    for cut in range(5):
        assert fingerprint(pa.concat_tables([TABLE[:cut], TABLE[cut:]])) == expected
    assert fingerprint(pa.concat_tables([TABLE, TABLE])[4:]) == expected
    wide = TABLE.set_column(0, "text", TABLE["text"].cast(pa.large_string()))
    assert fingerprint(wide) == expected
    assert fingerprint(TABLE.set_column(0, "text", TABLE["text"].dictionary_encode())) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"text": ["ab", "c"]},
        {"text": ["a", "cb"]},
        {"text": ["bc", "a"]},
        {"text": ["a", "bc", ""]},
        {"text": ["a", None]},
        {"text": ["a", ""]},
        {"texts": ["a", "bc"]},
        {"text": [1, 2]},
        {"text": ["a", "bc"], "more": ["a", "bc"]},
        {"text": []},
    ],
)
def test_any_change_makes_another(other):
    assert fingerprint(pa.table(other)) != fingerprint(pa.table({"text": ["a", "bc"]}))


def test_real_data_is_the_same_through_any_reader(real, tmp_path):
    from pyarrow import parquet

    table = read_rows(real("medquad/train.csv")).table
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=100)
    assert fingerprint(read_rows(tmp_path / "a.parquet").table) == fingerprint(table)
