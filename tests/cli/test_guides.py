"""Guides as people have them, with real weights: a shop's cut-out, a friend's photo, and photos that show none."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mbu_ops.families import get_family
from mbu_ops_cli.app import run

from ..portraits import head_on_texture, portrait, texture
from .conftest import pixels_of


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    portrait().save(path)
    return path


def worn(photo: Path, step: str, *options: str) -> np.ndarray:
    out = photo.with_name("worn.png")
    assert run(["chain", step, "-i", str(photo), "-o", str(out), "--existing", "overwrite", *options]) == 0
    return pixels_of(out).astype(int)


def test_a_shop_s_cut_out_is_worn_as_the_family_s_own_is(photo: Path) -> None:
    """A family's guide, cut to what is seen of it and scaled, comes out where that guide does."""
    (first,) = (guide for guide in get_family("faces").guides if guide.name == "square")
    with Image.open(str(first.locate())) as picture:
        shop = picture.crop(picture.getchannel("A").getbbox())
    shop.resize((700, round(700 * shop.height / shop.width)), Image.Resampling.LANCZOS).save(
        photo.with_name("shop.png")
    )
    before = pixels_of(photo).astype(int)
    ours, shops = worn(photo, "add:glasses"), worn(photo, f"add:glasses@{photo.with_name('shop.png')}")
    changed = (np.abs(ours - before).max(2) > 30) & (np.abs(shops - before).max(2) > 30)
    either = (np.abs(ours - before).max(2) > 30) | (np.abs(shops - before).max(2) > 30)
    assert 300 < either.sum() < 0.1 * either.size
    assert changed.sum() > 0.7 * either.sum()


def test_every_guide_of_the_family_is_worn_at_the_eyes(photo: Path) -> None:
    before = pixels_of(photo).astype(int)
    results = [worn(photo, f"add:glasses,guide={number}") for number in (0, 2, 7, 12)]
    for result in results:
        rows, columns = (np.abs(result - before).max(2) > 30).nonzero()
        assert 70 < rows.min() < rows.max() < 160  # the eyes of the portrait lie around row 108
        assert columns.max() - columns.min() > 60
    assert all(np.abs(one - two).max() > 60 for one, two in pairwise(results))


def test_a_guide_without_a_face_is_refused(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texture(300, 280, 1).save(photo.with_name("none.png"))
    assert run(["chain", f"add:glasses@{photo.with_name('none.png')}", "-i", str(photo), "-o", f"{photo}.jpg"]) == 2
    assert "expected a face in the guide picture" in capsys.readouterr().err
    assert not Path(f"{photo}.jpg").exists()


def test_guides_that_show_none_or_are_small_are_warned_of(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head_on_texture(200, 180, (30, 20, 140)).save(photo.with_name("bare.png"))
    worn(photo, f"add:glasses@{photo.with_name('bare.png')}")
    said = capsys.readouterr().err
    assert "shows the eyes and cheeks in" in said
    assert "seems to show none (presence 0.0" in said
    assert "Warning" not in said  # in a line of its own, without the code that noticed it


def test_an_empty_cut_out_is_refused(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGBA", (60, 40)).save(photo.with_name("empty.png"))
    assert run(["chain", f"add:glasses@{photo.with_name('empty.png')}", "-i", str(photo), "-o", f"{photo}.jpg"]) == 2
    assert "transparent all over" in capsys.readouterr().err
