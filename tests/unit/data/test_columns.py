from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from nearer.data.columns import Kind, read_examples
from nearer.errors import DataError, SpecError, UsageError


def refused(source, **options):
    with pytest.raises(UsageError) as caught:
        read_examples(source, **options)
    return str(caught.value)


def one(**columns):
    return [columns]


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize(
    ("row", "kind", "names", "sides"),
    [
        ({"query": "a", "document": "b"}, Kind.PAIRS, ("query", "document"), "qd"),
        (
            {"negative": "n", "document": "b", "query": "a", "other": "z"},
            Kind.NEGATIVES,
            ("query", "document", "negative"),
            "qdd",
        ),
        (
            {f"negative_{i}": f"n{i}" for i in (10, 2, 1)} | {"query": "a", "document": "b"},
            Kind.NEGATIVES,
            ("query", "document", "negative_1", "negative_2", "negative_10"),
            "qdddd",
        ),
        (
            {"query": "a", "document": "b", "negative1": "n", "score": 0.5},
            Kind.NEGATIVES,
            ("query", "document", "negative1"),
            "qdd",
        ),
        ({"text1": "a", "text2": "b", "score": 0.5}, Kind.SCORED, ("text1", "text2"), "qd"),
    ],
)
def test_columns_say_the_kind(row, kind, names, sides):
    examples = read_examples([row])
    assert examples.kind is kind
    assert examples.names == names
    assert "".join(side[0] for side in examples.sides) == sides
    assert examples.modalities == ("text",) * len(names)
    batch = examples.batch(np.array([0]))
    assert [column.items for column in batch.columns] == [[row[name]] for name in names]
    assert (batch.scores is not None) == ("score" in row)


def test_text_and_image_are_a_pair(write, picture):
    examples = read_examples(write("a.csv", "image,text\na.png,a picture\n"))
    assert examples.kind is Kind.PAIRS
    assert examples.names == ("text", "image")
    assert examples.sides == ("query", "document")
    assert examples.modalities == ("text", "image")
    assert examples.table["image"].to_pylist() == [str(picture)]


def test_labels(write):
    examples = read_examples(write("a.csv", "label,text\n2,a\n1,b\n2,c\n"))
    assert examples.kind is Kind.LABELLED
    assert examples.class_names == ("2", "1")
    assert examples.labels.tolist() == [0, 1, 0]
    assert examples.lone_classes == 1
    batch = examples.batch(np.array([2, 1]))
    assert batch.labels.tolist() == [0, 1]
    assert [column.side for column in batch.columns] == ["query"]


def test_labels_are_codes_also_as_numbers_with_gaps():
    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": [1.0, 2.0, float("nan")]})
    examples = read_examples(frame, on_bad_row="skip")
    assert examples.class_names == ("1", "2")
    assert examples.skipped == 1


def test_T39_scores_are_numbers(write):
    examples = read_examples(write("a.csv", "text1,text2,score\na,b, 0.5\nc,d,1e-1\n"))
    assert examples.scores.dtype == np.float64
    assert examples.scores.tolist() == [0.5, 0.1]


def test_equal_content_has_an_equal_code_within_a_side():
    examples = read_examples(
        [
            {"query": "x", "document": "x", "negative": "y"},
            {"query": "z", "document": "y", "negative": "x"},
            {"query": "x", "document": "w", "negative": "v"},
        ]
    )
    query, document, negative = examples.codes
    assert query.dtype == np.int64
    assert query.tolist() == [0, 1, 0]
    assert document[0] == negative[1]
    assert document[1] == negative[0]
    assert len({*document.tolist(), *negative.tolist()}) == 4


def test_columns_maps_our_names_to_theirs():
    source = one(q="a", d="b", score=1.0)
    examples = read_examples(source, columns={"text1": "q", "text2": "d"})
    assert examples.kind is Kind.SCORED
    examples = read_examples(source, columns={"query": "q", "document": "d", "negative_1": "score"})
    assert examples.kind is Kind.NEGATIVES


def test_faults_of_the_mapping():
    source = one(question="a", answer="b")
    message = refused(source, columns={"query": "questoin"})
    assert 'list: no column "questoin" (given for query). Did you mean "question"?' in message
    assert 'Columns are "question", "answer".' in message
    message = refused(source, columns={"qeury": "question"})
    assert '"qeury" is none of the names that have a meaning here' in message
    assert 'Did you mean "query"?' in message
    message = refused(source, columns={"query": "answer", "document": "answer"})
    assert '"answer" is given for two names' in message


def test_unknown_columns_show_kinds_and_mapping():
    message = refused(one(question="a", answer="b"))
    assert 'list: the columns "question", "answer" are no training data that is known' in message
    assert "query,document[,negative…]" in message
    assert 'columns={"query": "question", "document": "answer"}' in message
    assert "--columns query=question,document=answer" in message
    assert "header" not in message


def test_T40_a_missing_header_is_recognised(write):
    message = refused(write("a.csv", "red shoes,Shoes in red leather\nhat,A hat\n"))
    assert "a header is needed" in message
    assert "red shoes,Shoes in red leather\n" in message
    assert "put a line with the names of the columns before it" in message


def test_ambiguous_columns(picture):
    source = [
        {"text": "a", "image": str(picture), "label": "x"},
        {"text": "b", "image": str(picture), "label": "y"},
    ]
    message = refused(source)
    assert "fit several kinds" in message
    assert 'pairs: columns={"text": "text", "image": "image"}' in message
    assert 'labelled: columns={"image": "image", "label": "label"}' in message
    for columns, kind, names in (
        ({"text": "text", "image": "image"}, Kind.PAIRS, ("text", "image")),
        ({"text": "text", "label": "label"}, Kind.LABELLED, ("text",)),
        ({"image": "image", "label": "label"}, Kind.LABELLED, ("image",)),
    ):
        examples = read_examples(source, columns=columns)
        assert (examples.kind, examples.names) == (kind, names)


def test_a_score_beside_a_pair_is_not_passed_over():
    source = one(query="a", document="b", score=0.0)
    message = refused(source)
    assert 'scored: columns={"text1": "query", "text2": "document", "score": "score"}' in message
    assert 'pairs: columns={"query": "query", "document": "document"}' in message
    columns = {"text1": "query", "text2": "document", "score": "score"}
    assert read_examples(source, columns=columns).kind is Kind.SCORED
    columns = {"query": "query", "document": "document"}
    assert read_examples(source, columns=columns).kind is Kind.PAIRS


def test_bad_rows_are_refused_with_lines(write):
    path = write(
        "a.csv",
        'text1,text2,score\na,b,1\n"c\nc", ,0.5\ne,f,high\n,h,nan\ni,\u3000,1\nk,l,\nm,n,inf\n',
    )
    message = refused(path)
    assert f"{path}: 6 of 7 rows cannot be used" in message
    assert 'line 3, column "text2": empty text' in message
    assert 'line 5, column "score": "high" is not a finite number' in message
    assert 'line 6, column "text1": empty text' in message
    assert 'line 6, column "score": "nan" is not a finite number' in message
    assert 'line 7, column "text2": empty text' in message
    assert 'line 8, column "score": no number' in message
    assert "… and 1 more rows" in message
    assert 'on_bad_row="skip"' in message
    examples = read_examples(path, on_bad_row="skip")
    assert (len(examples), examples.skipped) == (1, 6)
    assert examples.reasons[0] == 'line 3, column "text2": empty text'
    assert examples.scores.tolist() == [1.0]


def test_null_cells_of_objects():
    message = refused([{"query": "a", "document": None}, {"query": "b", "document": "c"}])
    assert 'row 0, column "document": no text' in message


def test_nothing_left(write):
    path = write("a.csv", "query,document\n,b\n")
    message = refused(path, on_bad_row="skip")
    assert 'line 2, column "query": empty text' in message
    assert "No row is left" in message


def test_columns_of_the_wrong_type():
    assert 'column "query" holds list<item: int64>, where text must stand' in refused(
        one(query=[1], document="b")
    )
    assert 'column "score" holds list' in refused(one(text1="a", text2="b", score=["x"]))
    assert 'column "query" holds double' in refused(one(query=0.5, document="b"))
    assert read_examples(one(query=911, document="b")).table["query"].to_pylist() == ["911"]


def test_one_class_is_refused_and_told_with_the_other_faults(write):
    path = write("a.csv", "text,label\na,x\nb,x\n")
    message = refused(path)
    assert 'a.csv, column "label": all rows have the label "x"' in message
    assert "two classes or more" in message
    path = write("a.csv", "text,label\na,x\n,x\n")
    with pytest.raises(SpecError) as caught:
        read_examples(path)
    assert len(caught.value.faults) == 2
    assert 'line 3, column "text": empty text' in str(caught.value)


def test_pictures_that_are_none(write, picture):
    write("b.png", b"no picture")
    path = write("a.csv", f"text,image\nx,a.png\ny,gone.png\nz,b.png\nw,\nv,{picture}\n")
    message = refused(path)
    assert f'line 3, column "image": no such file: {picture.parent / "gone.png"}' in message
    assert f'line 4, column "image": not a picture: {picture.parent / "b.png"}' in message
    assert 'line 5, column "image": empty path' in message
    assert "3 of 5 rows" in message
    examples = read_examples(path, on_bad_row="skip")
    assert examples.table["image"].to_pylist() == [str(picture)] * 2
    assert examples.codes[1].tolist() == [0, 0]


def test_relative_pictures_of_objects_refer_to_the_working_folder(picture, monkeypatch):
    monkeypatch.chdir(picture.parent)
    examples = read_examples(one(text="a", image="a.png"))
    assert examples.table["image"].to_pylist() == [str(picture)]


def test_the_image_feature_of_datasets(picture):
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "image": datasets.Image()})
    data = datasets.Dataset.from_dict({"text": ["a"], "image": [str(picture)]}, features)
    assert read_examples(data).table["image"].to_pylist() == [str(picture)]
    data = datasets.Dataset.from_dict(
        {"text": ["a"], "image": [Image.new("RGB", (2, 2))]}, features
    )
    (item,) = read_examples(data).batch(np.array([0])).columns[1].items
    assert Image.open(BytesIO(item)).size == (2, 2)


def test_pictures_as_bytes_objects_and_urls_are_the_same_picture(picture):
    spellings = [picture.as_uri(), str(picture), picture]
    assert (
        read_examples([{"text": "a", "image": s} for s in spellings]).codes[1].tolist() == [0] * 3
    )
    content = picture.read_bytes()
    examples = read_examples([{"text": "a", "image": content}, {"text": "b", "image": content}])
    assert examples.batch(np.array([1])).columns[1].items == [content]
    assert examples.codes[1].tolist() == [0, 0]
    red, blue = Image.new("RGB", (3, 2), "red"), Image.new("CMYK", (3, 2))
    examples = read_examples([{"text": "a", "image": red}, {"text": "b", "image": blue}])
    items = examples.batch(np.array([0, 1])).columns[1].items
    assert [Image.open(BytesIO(item)).mode for item in items] == ["RGB", "CMYK"]
    assert examples.fingerprint != read_examples(one(text="a", image=red)).fingerprint


def test_bytes_that_are_no_picture_and_urls_of_other_machines(picture):
    rows = [{"text": t, "image": b} for t, b in (("a", picture.read_bytes()), ("b", b"no"))]
    message = refused(rows)
    assert 'row 1, column "image": not a picture' in message
    assert len(read_examples(rows, on_bad_row="skip")) == 1
    message = refused(one(text="a", image="https://example.org/a.png"))
    assert "not a file of this machine: https://example.org/a.png" in message


def test_take_and_batches_over_many_chunks(tmp_path):
    import datasets

    texts = [f"t{i}" for i in range(3500)]
    data = datasets.Dataset.from_dict({"query": texts, "document": texts[::-1]})
    examples = read_examples(datasets.concatenate_datasets([data, data.select([5, 0])]))
    rows = np.array([3501, 0, 2999, 3500, 5, 5])
    batch = examples.batch(rows)
    assert batch.columns[0].items == ["t0", "t0", "t2999", "t5", "t5", "t5"]
    assert batch.columns[0].codes.tolist() == [0, 0, 2999, 5, 5, 5]
    taken = examples.take(rows)
    assert taken.batch(np.arange(6)).columns[1].items == batch.columns[1].items
    assert taken.codes[0].tolist() == batch.columns[0].codes.tolist()


def test_unknown_rows_of_data_error_type():
    with pytest.raises(DataError):
        read_examples(one(a="x"))


def test_real_data(real):
    banking = read_examples(real("banking77/train.csv"))
    assert (banking.kind, len(banking), len(banking.class_names)) == (Kind.LABELLED, 10003, 77)
    assert banking.lone_classes == 0
    medquad = read_examples(real("medquad/train.csv"))
    assert (medquad.kind, len(medquad)) == (Kind.PAIRS, 3850)
    grocery = read_examples(real("grocery/val.csv"))
    assert (grocery.kind, len(grocery), grocery.modalities) == (Kind.LABELLED, 296, ("image",))
    clipart = read_examples(real("openclipart/train.csv"))
    assert (clipart.kind, len(clipart)) == (Kind.PAIRS, 2254)
    assert clipart.modalities == ("text", "image")


def test_bytes_under_a_null_do_not_matter():
    offsets = np.array([0, 1, 2], np.int32).tobytes()
    buffers = [pa.py_buffer(part) for part in (b"\x02", offsets, b"\x9fa")]
    sly = pa.Array.from_buffers(pa.string(), 2, buffers)
    assert sly.to_pylist() == [None, "a"]
    table = pa.table({"query": ["a", "b"], "document": sly})
    rows = [{"query": "a", "document": None}, {"query": "b", "document": "a"}]
    import datasets

    for source in (datasets.Dataset(table), rows):
        examples = read_examples(source, on_bad_row="skip")
        assert (len(examples), examples.skipped) == (1, 1)
