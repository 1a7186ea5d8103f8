import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from nearer.report.pictures import SIDE, Thumbnails


def decoded(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "1"])
def test_a_picture_becomes_small(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.new(mode, (400, 200)).save(path)
    made = decoded(Thumbnails().of(str(path)))
    assert made.size == (SIDE, SIDE // 2)


def test_what_is_no_picture_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("<script>")
    assert Thumbnails().of(str(tmp_path / "text.png")) == ""
    assert Thumbnails().of(str(tmp_path / "gone.png")) == ""


def test_they_keep_to_their_room(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (100, 100), "red").save(path)
    size = len(Thumbnails().of(str(path)))
    pictures = Thumbnails(room=2 * size)
    assert [bool(pictures.of(str(path))) for _ in range(3)] == [True, True, False]
