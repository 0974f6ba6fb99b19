"""What results and messages tell of the photos that they are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from mbu_ops import weights
from mbu_ops.batch import edit_files
from mbu_ops.errors import ConfigurationError, ImageFileError, WeightsError
from mbu_ops.images import read, read_labels
from mbu_ops.methods.mbu import MBU
from mbu_ops.methods.presence import Presence
from mbu_ops.ops.remove import Remove
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo
from mbu_ops_cli.app import run

from ..pictures import draw

SECRET = b"aws_secret_access_key = wJalrXUtnFEMI"
XMP = b"<x:xmpmeta xmlns:exif='http://ns.adobe.com/exif/1.0/' exif:GPSLatitude='52,31.2N'/>"
SUFFIXES = ("jpg", "png", "tiff", "webp", "avif")


def photographed() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Artist] = "Ann"
    exif.get_ifd(IFD.Exif)[Base.LensModel] = "50mm"
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
    return exif


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for suffix in SUFFIXES:
        more = {"xmp": XMP} if suffix in ("jpg", "webp") else {}
        draw(tmp_path / "in" / f"a-{suffix}.{suffix}", exif=photographed().tobytes(), **more)
    return tmp_path / "in"


@pytest.fixture
def hats(tmp_path: Path) -> str:
    model = tiny_mbu()
    weights.save(tmp_path / "hats.safetensors", model, WeightsInfo("mbu", MBU.config_to_dict(model.config), 16))
    return str(tmp_path / "hats.safetensors")


def told(path: Path) -> tuple[str | None, str | None, bool]:
    """Return who took a picture with what, and whether its file says where, in whatever way."""
    with Image.open(path) as image:
        exif = image.getexif()
        place = bool(exif.get_ifd(IFD.GPSInfo)) or b"GPS" in (image.info.get("xmp") or b"")
        return exif.get(Base.Artist), exif.get_ifd(IFD.Exif).get(Base.LensModel), place


@pytest.mark.parametrize("strip", [None, "gps", "metadata"])
def test_metadata_is_kept_or_left_out(strip: Literal["gps", "metadata"] | None, photos: Path, tmp_path: Path) -> None:
    report = edit_files(Remove(tiny_mbu()), photos, tmp_path / "out", strip=strip)
    for written in report.written:
        artist, lens, place = told(written.job.target or Path())
        in_full = written.job.target is not None and written.job.target.suffix != ".tiff"
        assert artist == (None if strip == "metadata" else "Ann")
        assert lens == (None if strip == "metadata" or not in_full else "50mm")
        assert place is (strip is None and in_full)
        assert (written.keeps_metadata, written.keeps_place) == (artist is not None, place)
    assert len(report.written) == len(SUFFIXES)


@pytest.mark.parametrize("strip", ["gps", "metadata"])
def test_a_photo_that_stays_as_it_is_is_not_copied_with_its_place(
    strip: Literal["gps", "metadata"], photos: Path, tmp_path: Path
) -> None:
    op = Remove(tiny_mbu())
    op.detector = Presence()
    op.presence = 1.0
    kept = edit_files(op, photos, tmp_path / "kept")
    assert all(written.idle for written in kept.written)
    assert all(written.keeps_place and told(written.job.target or Path())[2] for written in kept.written)
    stripped = edit_files(op, photos, tmp_path / "out", strip=strip)
    assert not any(told(written.job.target or Path())[2] for written in stripped.written)
    assert {told(written.job.target or Path())[0] for written in stripped.written} == (
        {"Ann"} if strip == "gps" else {None}
    )


def test_the_summary_says_what_is_kept(
    hats: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["chain", f"remove:{hats}", "--no-align", "-i", str(photos), "-o"]
    assert run([*command, str(tmp_path / "a")]) == 0
    assert (
        "the source's metadata is kept in 5 pictures, in 4 with the place where it was taken (--strip-gps): "
        "--strip-metadata leaves it out"
    ) in capsys.readouterr().err
    assert run([*command, str(tmp_path / "b"), "--strip-gps"]) == 0
    assert "kept in 5 pictures: --strip-metadata leaves it out" in capsys.readouterr().err
    assert run([*command, str(tmp_path / "c"), "--strip-metadata", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"] == {"kept": 0, "with_place": 0}
    assert told(tmp_path / "c" / "a-jpg.jpg") == (None, None, False)


def test_the_colours_are_not_stripped(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = draw(tmp_path / "a.jpg", exif=photographed(), icc_profile=profile)
    edit_files(Remove(tiny_mbu()), photo, tmp_path / "b.jpg", strip="metadata")
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.info["icc_profile"] == profile


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected strip = metadata, gps or None, got 'all'"):
        read(draw(tmp_path / "a.png")).kind.without("all")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_no_message_quotes_a_file_that_is_no_picture(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    link = tmp_path / f"holiday{suffix}"
    link.symlink_to(tmp_path / "secret")
    said = []
    for look in (read, lambda path: read_labels(path, [(0, 0, 0)])):
        with pytest.raises(ImageFileError) as caught:
            look(link)
        said.append(str(caught.value))
    with pytest.raises(WeightsError) as refused:
        weights.load(link)
    said.append(str(refused.value))
    for text in said:
        assert "aws" not in text
        assert str(int.from_bytes(SECRET[:8], "little")) not in text  # as a length, say
