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
from mbu_ops.errors import (
    ConfigurationError,
    DTypeError,
    FrameError,
    GuideWarning,
    ImageFileError,
    ShapeError,
    WeightsError,
)
from mbu_ops.frames.aligners import family_to_align
from mbu_ops.frames.chains import assemble_on_photos
from mbu_ops.functional.turn import turned
from mbu_ops.images import read
from mbu_ops.images.memory import as_image_file
from mbu_ops.methods.presence import OwnPresence
from mbu_ops.ops.guides import cut_out
from mbu_ops.ops.method import encode_guide
from mbu_ops.testing import tiny_mbu, tiny_native_guided
from mbu_ops.weights import WeightsInfo, pixels_of, read_guide, save, shipped_guides

from ..portraits import head_on_texture


def saved(path: Path, tells: bool = False, **info: object) -> Path:
    model = tiny_native_guided()
    config = model.config_to_dict(model.config)
    given = WeightsInfo(
        "native_guided", config, model.config.resolution, "faces", ("glasses",), frame="eyes_and_cheeks"
    )
    presence = OwnPresence(model) if tells else None  # without, every image is edited
    save(path, model, replace(given, **info), dtype=torch.float32, presence=presence)
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


def a_bag() -> Image.Image:
    """Return a bag on white, with a handle."""
    pixels = np.full((128, 128, 3), 255, dtype=np.uint8)
    pixels[60:120, 20:108] = 80
    pixels[20:60, 40:46] = pixels[20:60, 82:88] = pixels[20:26, 40:88] = 30
    return Image.fromarray(pixels)


def test_what_a_family_can_tell_is_taken_alone(tmp_path: Path) -> None:
    weights = saved(tmp_path / "handle.safetensors", family="handbags", attributes=("handle",), frame=None)
    a_bag().save(tmp_path / "bag.png")
    add = mbu_ops.Transfer.from_pretrained(weights)
    photo = pixels_of(read(tmp_path / "bag.png"), True)
    alone = cut_out(photo, add.origin.info)
    assert alone.shape == (1, 4, 128, 128)
    assert torch.equal(alone[:, :3], photo)
    assert alone[0, 3, 23, 60] > 0.99  # the handle
    assert alone[0, 3, [45, 90], [64, 64]].tolist() == [0, 0]  # what it frames, and the bag
    wanted, plain = add(IMAGE, alone), add(IMAGE, photo)
    assert not torch.allclose(wanted, plain, atol=1e-3)
    for taken in (mbu_ops.chain(f"add:{weights}@{tmp_path / 'bag.png'}"), add.bind(tmp_path / "bag.png")):
        torch.testing.assert_close(taken(IMAGE), wanted)
    assert torch.equal(add.bind(photo)(IMAGE), plain)  # a tensor is taken as it is


def test_large_pictures_are_told_apart_small_and_cut_at_their_own_pixels() -> None:
    info = WeightsInfo("native_guided", {}, 128, "handbags", ("handle",))
    small, large = (
        cut_out(pixels_of(as_image_file(a_bag().resize((128 * n, 128 * n), Image.NEAREST)), False), info)
        for n in (1, 16)
    )
    assert large.shape == (1, 4, 2048, 2048)
    back = torch.nn.functional.avg_pool2d(large[:, 3:], 16)
    assert (back - small[:, 3:]).abs().mean() < 0.01
    # a handle 96 pixels wide has edges of a few
    between = ((large[:, 3:] > 0.05) & (large[:, 3:] < 0.95)).float().mean()
    assert 0 < between < 0.1 * large[:, 3:].mean()


def test_what_no_family_can_tell_stays_a_photo(tmp_path: Path) -> None:
    bag, noise = pixels_of(as_image_file(a_bag()), False), torch.rand(1, 3, 128, 128)
    info = WeightsInfo("native_guided", {}, 128, "handbags", ("handle",))
    assert cut_out(noise, info) is noise
    assert cut_out(bag, replace(info, family=None)) is bag
    assert cut_out(bag, replace(info, method="mbu")) is bag
    assert cut_out(bag, replace(info, family="faces", attributes=("glasses",), frame="eyes_and_cheeks")) is bag
    assert cut_out(bag, replace(info, attributes=("handle", "strap"))) is bag
    assert cut_out(alone := cut_out(bag, info), info) is alone


def test_a_number_is_a_picture_of_the_family(weights: Path) -> None:
    picture = read_guide(shipped_guides(WeightsInfo("x", {}, 1, "faces", ("glasses",), frame="eyes_and_cheeks"))[2])
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


def saved_picture(path: Path, picture: torch.Tensor) -> Path:
    Image.fromarray((picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()).save(path)
    return path


def test_an_op_is_bound_to_the_number_of_a_guide(weights: Path) -> None:
    add = mbu_ops.Transfer.from_pretrained(weights)
    bound = add.bind(2)
    assert torch.allclose(bound(IMAGE), mbu_ops.chain(f"add:{weights},guide=2")(IMAGE), atol=1e-6)
    assert torch.equal(add(IMAGE, 2), bound(IMAGE))
    for number in (14, -1):
        with pytest.raises(ConfigurationError, match=f"have the default guides 0 to 13, got guide {number}"):
            add.bind(number)
    with pytest.raises(ConfigurationError, match="have no default guides, got guide 0"):
        mbu_ops.Transfer(tiny_native_guided()).bind(0)
    coded = mbu_ops.Transfer(tiny_mbu(), guides=torch.rand(3, *tiny_mbu().code_shape))
    assert torch.equal(coded.bind(1).code, coded.guides[1:2])


def test_an_op_finds_the_face_in_a_guide_photo_as_chains_on_photos_do(weights: Path, tmp_path: Path) -> None:
    head_on_texture(420, 360, (60, 40, 300)).save(tmp_path / "ref.jpg", quality=95)
    add = mbu_ops.Transfer.from_pretrained(weights)
    bound = add.bind(tmp_path / "ref.jpg")
    plans = mbu_ops.ops.ChainSpec.parse(f"add:{weights}@{tmp_path / 'ref.jpg'}").plan()
    framed = assemble_on_photos(plans, family_to_align(plans))
    step = framed.op.steps[0]
    assert torch.allclose(bound.code, step.code, atol=1e-6)
    assert torch.equal(bound.picture, step.picture)
    assert bound.yaw == step.yaw
    with Image.open(tmp_path / "ref.jpg") as opened:
        for same in (str(tmp_path / "ref.jpg"), opened, np.asarray(opened), read(tmp_path / "ref.jpg")):
            assert torch.equal(add.bind(same).code, bound.code)
    assert torch.equal(add(IMAGE, str(tmp_path / "ref.jpg")), bound(IMAGE))


def test_an_op_lays_a_thing_alone_as_chains_on_photos_do(weights: Path, tmp_path: Path) -> None:
    shop = CUT_OUT.clone()
    shop[:, 3] = 0
    shop[:, 3, 20:30, 10:80] = 1
    path = saved_picture(tmp_path / "shop.png", shop)
    plans = mbu_ops.ops.ChainSpec.parse(f"add:{weights}@{path}").plan()
    step = assemble_on_photos(plans, family_to_align(plans)).op.steps[0]
    assert torch.equal(mbu_ops.Transfer.from_pretrained(weights).bind(path).picture, step.picture)


def test_pictures_without_a_face_are_no_guides(weights: Path, tmp_path: Path) -> None:
    path = saved_picture(tmp_path / "bare.png", torch.rand(1, 3, 60, 80, generator=RANDOM))
    add = mbu_ops.Transfer.from_pretrained(weights)
    with pytest.raises(
        FrameError, match=r"expected a face in the guide picture of 'Transfer', found none.*as a tensor"
    ):
        add.bind(path)
    for junk, error, match in (
        ("none.jpg", ImageFileError, "no such file"),
        (np.zeros((4, 4, 3)), DTypeError, "guide as an array of uint8, got float64"),
        ([path], DTypeError, "expected guide to be a path.*got list"),
    ):
        with pytest.raises(error, match=match):
            add.bind(junk)


def test_what_nobody_can_look_for_is_taken_whole(tmp_path: Path) -> None:
    path = saved_picture(tmp_path / "bare.png", CUT_OUT[:, :3])
    pixels = read(path).to_tensor()[None]
    unknown = mbu_ops.Transfer.from_pretrained(saved(tmp_path / "x.safetensors", family=None, frame=None))
    for add in (mbu_ops.Transfer(tiny_mbu()), unknown):
        assert torch.allclose(add.bind(path)(IMAGE), add(IMAGE, pixels), atol=1e-6)


def test_bound_photos_that_show_none_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = mbu_ops.Transfer.from_pretrained(saved(tmp_path / "glasses.safetensors", tells=True))
    monkeypatch.setattr(OwnPresence, "forward", lambda self, images: torch.full((len(images),), 0.03))
    with pytest.warns(GuideWarning, match=r"guide picture of 'Transfer' seems to show none \(presence 0.03\)"):
        add.bind(head_on_texture(420, 360, (60, 40, 300)))


def test_mixtures_of_numbers_and_pictures(weights: Path, tmp_path: Path) -> None:
    mix = mbu_ops.Interpolate.from_pretrained(weights)
    path = saved_picture(tmp_path / "alone.png", CUT_OUT)
    halfway = (mix.bind(2, 2, 0.0).code + mix.bind(path, path, 0.0).code) / 2
    torch.testing.assert_close(mix.bind(2, path, 0.5).code, halfway)
    assert torch.equal(mix(IMAGE, 2, path, 0.5), mix.bind(2, path)(IMAGE))
    assert torch.allclose(mix.bind(2, CUT_OUT, 0.0)(IMAGE), mix.bind(2, 5, 0.0)(IMAGE), atol=1e-6)


def test_chains_take_guides_in_every_form(weights: Path, tmp_path: Path) -> None:
    path = saved_picture(tmp_path / "alone.png", CUT_OUT)
    wanted = mbu_ops.chain(f"add:{weights}@{path}")(IMAGE)
    with Image.open(path) as opened:
        for guide in (str(path), path, opened, read(path), pixels_of(read(path), True)):
            assert torch.equal(mbu_ops.chain(f"add:{weights}", guides={str(weights): guide})(IMAGE), wanted)
    numbered = mbu_ops.chain(f"add:{weights}", guides={str(weights): 2})(IMAGE)
    assert torch.equal(numbered, mbu_ops.chain(f"add:{weights},guide=2")(IMAGE))
    with pytest.raises(WeightsError, match="0 to 13, got guide -1"):
        mbu_ops.chain(f"add:{weights}", guides={str(weights): -1})


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
