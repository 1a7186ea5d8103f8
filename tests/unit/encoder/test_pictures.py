"""Pictures are decoded within limits; what cannot be is named."""

from pathlib import Path

import pytest
from PIL import Image
from support import makers

from nearer.data import pictures as cells
from nearer.encoder import pictures
from nearer.encoder.pictures import rgb_of
from nearer.errors import DataError


def test_a_picture_becomes_rgb(tmp_path: Path) -> None:
    Image.new("LA", (3, 2)).save(tmp_path / "a.png")
    picture = rgb_of(tmp_path / "a.png")
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
        rgb_of(tmp_path / "a.png")
    assert str(caught.value).startswith(f"{tmp_path / 'a.png'}: ")
    assert says in str(caught.value)


def test_between_the_warning_and_the_error_of_pillow_it_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    Image.new("RGB", (5, 5)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="more than 20"):
        rgb_of(tmp_path / "a.png")


def test_a_picture_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png: no such file"):
        rgb_of(tmp_path / "a.png")


def test_what_runs_a_program_is_refused_by_both_who_rgb_ofs() -> None:
    assert pictures.RUNS_A_PROGRAM == cells.RUNS_A_PROGRAM


def test_a_picture_is_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    picture = Image.new("RGB", (4, 2), "red")
    picture.putpixel((0, 0), (0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    picture.save(tmp_path / "a.png", exif=exif)
    upright = rgb_of(tmp_path / "a.png")
    assert upright.size == (2, 4)
    assert upright.getpixel((1, 0)) == (0, 0, 255)


WHITE, RED, GREY = (255, 255, 255), (255, 0, 0), (128, 128, 128)


@pytest.mark.parametrize(
    ("picture", "seen"),
    [
        (Image.new("RGBA", (2, 2), (255, 0, 0, 0)), WHITE),
        (Image.new("RGBA", (2, 2), (255, 0, 0, 255)), RED),
        (Image.new("LA", (2, 2), (0, 0)), WHITE),
        (Image.new("L", (2, 2), 128), GREY),
        (Image.new("1", (2, 2), 1), WHITE),
        (Image.new("RGB", (2, 2), RED).convert("P", palette=Image.Palette.ADAPTIVE), RED),
        (Image.new("I;16", (2, 2), 128 * 257), GREY),
        (Image.new("I", (2, 2), 65535), WHITE),
        (Image.new("F", (2, 2), 1.0), WHITE),
        (Image.new("CMYK", (2, 2), (0, 255, 255, 0)), RED),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_every_mode_becomes_the_colour_that_one_sees(
    picture: Image.Image, seen: tuple[int, int, int]
) -> None:
    assert rgb_of(picture).getpixel((1, 1)) == seen


def test_a_palette_with_a_transparent_entry_lies_on_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 2), 0)
    picture.putpalette([255, 0, 0, 0, 0, 0])
    picture.save(tmp_path / "a.gif", transparency=0)
    assert rgb_of(tmp_path / "a.gif").getpixel((0, 0)) == WHITE
    assert rgb_of((tmp_path / "a.gif").read_bytes()).getpixel((0, 0)) == WHITE


def test_a_text_is_no_picture() -> None:
    with pytest.raises(DataError, match="'red shoes' is a str, where a picture has to be"):
        rgb_of("red shoes")
