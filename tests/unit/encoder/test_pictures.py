"""Pictures are decoded within limits; what cannot be is named."""

from pathlib import Path

import pytest
from PIL import Image
from support import makers

from nearer.data import cells
from nearer.encoder import pictures
from nearer.encoder.pictures import open_picture
from nearer.errors import DataError


def test_a_picture_becomes_rgb(tmp_path: Path) -> None:
    Image.new("LA", (3, 2)).save(tmp_path / "a.png")
    picture = open_picture(tmp_path / "a.png")
    assert (picture.mode, picture.size) == ("RGB", (3, 2))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        ("huge_picture", "too many pixels to be decoded safely (more than 89,478,485)"),
        ("truncated_picture", "cannot be decoded as a picture (image file is truncated)"),
        ("picture_of_text", "cannot be decoded as a picture (cannot identify image file 'a.png')"),
        ("postscript", "cannot be decoded as a picture (pictures in EPS are not decoded)"),
    ],
)
def test_what_cannot_be_decoded_is_named(make: str, says: str, tmp_path: Path) -> None:
    getattr(makers, make)(tmp_path, tmp_path)
    with pytest.raises(DataError) as caught:
        open_picture(tmp_path / "a.png")
    assert str(caught.value).startswith(f"{tmp_path / 'a.png'}: ")
    assert says in str(caught.value)


def test_between_the_warning_and_the_error_of_pillow_it_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    Image.new("RGB", (5, 5)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="more than 20"):
        open_picture(tmp_path / "a.png")


def test_a_picture_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: no such file"):
        open_picture(tmp_path / "a.png")


def test_what_runs_a_program_is_refused_by_both_who_open_pictures() -> None:
    assert pictures.RUNS_A_PROGRAM == cells.RUNS_A_PROGRAM
