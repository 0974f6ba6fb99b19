"""Guides as pictures: photos, things on a transparent ground, and those that come with a family."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mbu_ops
from mbu_ops.errors import GuideWarning, ShapeError, WeightsError
from mbu_ops.functional.turn import turned
from mbu_ops.methods.presence import OwnPresence
from mbu_ops.ops.method import encode_guide
from mbu_ops.testing import tiny_mbu, tiny_native_guided
from mbu_ops.weights import WeightsInfo, pixels_of, read_guide, save, shipped_guides


def saved(path: Path, tells: bool = False, **info: object) -> Path:
    model = tiny_native_guided()
    config = model.config_to_dict(model.config)
    given = WeightsInfo("native_guided", config, model.config.resolution, "faces", ("glasses",), frame="eyes")
    presence = OwnPresence(model) if tells else None  # without, every image is edited
    save(path, model, replace(given, **info), dtype=torch.float32, presence=presence)  # type: ignore[arg-type]
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return saved(tmp_path / "glasses.safetensors")


RANDOM = torch.Generator().manual_seed(0)
IMAGE, CUT_OUT = torch.rand(1, 3, 40, 72, generator=RANDOM), torch.rand(1, 4, 50, 90, generator=RANDOM)


def test_alpha_says_where_the_content_is() -> None:
    model = tiny_native_guided()
    code = encode_guide(model, CUT_OUT)
    assert code.shape == (1, 5, *model.config.size)
    assert torch.equal(code[:, 3], code[:, 4])
    photo = encode_guide(model, CUT_OUT[:, :3])
    assert bool((photo[:, 3] == 1).all())
    # colours of what is transparent are nowhere in it
    half = CUT_OUT.clone()
    half[:, 3] = (torch.arange(90) < 45).float()
    other = half.clone()
    other[:, :3, :, 45:] = 0
    torch.testing.assert_close(encode_guide(model, half), encode_guide(model, other))


def test_a_thing_alone_is_taken_as_it_is_and_hides_nothing_else() -> None:
    add = mbu_ops.Transfer(tiny_native_guided())
    alone = torch.cat([CUT_OUT[:, :3], torch.zeros_like(CUT_OUT[:, 3:])], 1)
    alone[:, 3, 20:30, 30:60] = 1
    edit = add.edit(IMAGE, alone)
    outside = (edit.mask == 0).expand_as(IMAGE)
    assert torch.equal(edit.image[outside], IMAGE[outside])
    assert 0.02 < float((edit.mask > 0.5).float().mean()) < 0.3
    assert torch.allclose(add.bind(alone)(IMAGE), edit.image, atol=1e-6)
    assert torch.equal(add(IMAGE, torch.cat([CUT_OUT[:, :3], torch.zeros_like(CUT_OUT[:, 3:])], 1)), IMAGE)
    # and at its own pixels, not at those of the networks, whose frame is 16 pixels wide
    fine = torch.zeros(1, 4, 320, 320)
    fine[:, :3], fine[:, 3, :, ::8] = 1.0, 1.0
    striped = add.edit(torch.zeros(1, 3, 320, 320), fine)
    across = striped.mask[0, 0, 150, 40:280]
    assert int((across.diff().sign().diff().abs() > 1).sum()) > 20


def test_a_code_alone_shows_the_thing_at_the_networks_size() -> None:
    add = mbu_ops.Transfer(tiny_native_guided())
    edit = add.edit_code(IMAGE, add.encode(CUT_OUT))
    assert bool(edit.mask.max() > 0.1)
    empty = torch.cat([CUT_OUT[:, :3], torch.zeros_like(CUT_OUT[:, 3:])], 1)
    assert torch.equal(add.edit_code(IMAGE, add.encode(empty)).image, IMAGE)


def test_methods_that_take_no_pixels_take_no_alpha() -> None:
    with pytest.raises(ShapeError, match="drop an alpha channel"):
        mbu_ops.Transfer(tiny_mbu())(IMAGE, CUT_OUT)


def test_mixtures_take_alpha_too() -> None:
    mixed = mbu_ops.Interpolate(tiny_native_guided())(IMAGE, CUT_OUT, CUT_OUT[:, :3], 0.5)
    assert mixed.shape == IMAGE.shape


def test_a_number_is_a_picture_of_the_family(weights: Path) -> None:
    picture = read_guide(shipped_guides(WeightsInfo("x", {}, 1, "faces", ("glasses",), frame="eyes"))[2])
    numbered = mbu_ops.chain(f"add:{weights},guide=2")(IMAGE)
    given = mbu_ops.Transfer.from_pretrained(weights)(IMAGE, pixels_of(picture, True))
    assert torch.allclose(numbered, given, atol=1e-6)
    assert not torch.equal(numbered, mbu_ops.chain(f"add:{weights}")(IMAGE))


def test_an_op_without_a_guide_takes_the_first(weights: Path) -> None:
    bound = mbu_ops.Transfer.from_pretrained(weights).bind()
    assert torch.allclose(bound(IMAGE), mbu_ops.chain(f"add:{weights}")(IMAGE), atol=1e-6)


def test_numbers_end_where_the_pictures_do(weights: Path) -> None:
    with pytest.raises(WeightsError, match="have the default guides 0 to 13, got guide 99"):
        mbu_ops.chain(f"add:{weights},guide=99")


def test_weights_of_no_family_have_none(tmp_path: Path) -> None:
    weights = saved(tmp_path / "alone.safetensors", family=None, frame=None)
    with pytest.raises(WeightsError, match="hold no default guide"):
        mbu_ops.chain(f"add:{weights}")
    with pytest.raises(mbu_ops.errors.ConfigurationError, match="no default guides"):
        mbu_ops.Transfer.from_pretrained(weights).bind()


def test_a_picture_with_alpha_is_a_guide(weights: Path, tmp_path: Path) -> None:
    samples = (CUT_OUT[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(samples, "RGBA").save(tmp_path / "shop.png")
    Image.fromarray(samples[..., :3]).save(tmp_path / "photo.png")
    cut, photo = (mbu_ops.chain(f"add:{weights}@{tmp_path / name}.png")(IMAGE) for name in ("shop", "photo"))
    exact = torch.from_numpy(samples.astype(np.float32) / 255).permute(2, 0, 1)[None]
    assert torch.allclose(cut, mbu_ops.Transfer.from_pretrained(weights)(IMAGE, exact), atol=1e-5)
    assert not torch.allclose(cut, photo, atol=1e-3)


def test_photos_that_show_none_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = saved(tmp_path / "glasses.safetensors", tells=True)
    Image.new("RGB", (30, 20)).save(tmp_path / "bare.png")
    monkeypatch.setattr(OwnPresence, "forward", lambda self, images: torch.full((len(images),), 0.03))
    with pytest.warns(GuideWarning, match=r"seems to show none \(presence 0.03\)"):
        mbu_ops.chain(f"add:{weights}@{tmp_path / 'bare.png'}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mbu_ops.chain(f"add:{weights},guide=1")  # those that come with the family show one
        monkeypatch.setattr(OwnPresence, "forward", lambda self, images: torch.full((len(images),), 0.7))
        mbu_ops.chain(f"add:{weights}@{tmp_path / 'bare.png'}")


class Looking:
    """Finds faces that look somewhere."""

    def __init__(self, *yaws: float) -> None:
        self.yaws = yaws

    def find(self, image: torch.Tensor) -> list[mbu_ops.frames.Frame]:
        return [mbu_ops.frames.Frame(40 + 80 * index, 40, 70, yaw=yaw) for index, yaw in enumerate(self.yaws)]


def test_guides_are_turned_to_where_each_face_looks(weights: Path) -> None:
    add = mbu_ops.Transfer.of(mbu_ops.weights.load_pretrained(weights))
    bound, photo = add.with_picture(CUT_OUT), torch.rand(1, 3, 80, 160, generator=RANDOM)
    result = mbu_ops.Framed(bound, Looking(30, -20))(photo)
    for yaw, half in ((30, slice(0, 76)), (-20, slice(84, 160))):
        by_hand = add.with_picture(turned(CUT_OUT, yaw, add.frame.curvature))
        wanted = mbu_ops.Framed(by_hand, Looking(0, 0))(photo)[..., half]
        torch.testing.assert_close(result[..., half], wanted)
        assert (wanted - mbu_ops.Framed(bound, Looking(0, 0))(photo)[..., half]).abs().max() > 0.05
    edit = mbu_ops.Framed(bound, Looking(30, -20)).edit(photo)
    torch.testing.assert_close(edit.image, result)


def test_what_a_guide_looks_already_is_not_turned_again(weights: Path) -> None:
    add = mbu_ops.Transfer.of(mbu_ops.weights.load_pretrained(weights))
    bound = add.with_picture(CUT_OUT[:, :3])
    assert bound.looking(3) is bound, "as good as straight"
    bound.show(CUT_OUT[:, :3], 30.0)
    assert bound.looking(30) is bound
    assert bound.looking(90).picture is not None
    back = bound.looking(0).picture
    assert back is not None
    torch.testing.assert_close(back, turned(CUT_OUT[:, :3], -30, add.frame.curvature))
    coded = add.bind(code=bound.code)
    assert coded.looking(30) is coded, "there is no picture of its own to turn"
    told = add.bind(photo := CUT_OUT[:, :3]).looking(30).picture
    assert told is not None
    torch.testing.assert_close(told, turned(add.in_frame(photo), 30, add.frame.curvature))
    mixed = mbu_ops.Interpolate.of(mbu_ops.weights.load_pretrained(weights)).bind(photo, photo, 0.5)
    assert mixed.looking(30) is mixed
    flat = mbu_ops.Transfer(tiny_native_guided()).with_picture(CUT_OUT)
    assert flat.looking(30) is flat, "nobody knows how round it is"
    remove = mbu_ops.Remove.of(mbu_ops.weights.load_pretrained(weights))
    assert mbu_ops.Framed(remove, Looking(30))(torch.rand(1, 3, 80, 80)).shape == (1, 3, 80, 80)
