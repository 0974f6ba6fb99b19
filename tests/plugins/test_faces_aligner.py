"""The face aligner on the packaged portrait: pasted, scaled, turned, mirrored, cut; and on what holds no face."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors import safe_open
from torch import Tensor

import mbu_ops
from mbu_ops import Framed
from mbu_ops.errors import DTypeError, ShapeError
from mbu_ops.frames import Frame
from mbu_ops_faces.aligner import NOSE, FaceAligner, pretrained, yaws
from mbu_ops_faces.networks import POINTS, POINTS_SIDE, FaceDetector, FaceLandmarks

from ..portraits import head_on_texture, portrait, texture

X, Y, SIDE, ANGLE = 225.0, 112.0, 181.0, 2.5
"""Where the portrait's face is: its frame in pixels, measured once."""
HEAD = (75, 0, 375, 300)
"""A square of the portrait with the whole head in it."""


@pytest.fixture(scope="module")
def aligner() -> FaceAligner:
    found = mbu_ops.aligner("faces")
    assert isinstance(found, FaceAligner)
    return found


@pytest.fixture(scope="module", name="portrait")
def the_portrait() -> Image.Image:
    return portrait()


def tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def expect(found: Frame, x: float, y: float, side: float, angle: float = ANGLE) -> None:
    """Within 6 % of the side and 5 degrees: 8 pixels of the 128 that networks see."""
    assert math.hypot(found.x - x, found.y - y) < 0.06 * side, (found, x, y)
    assert found.side == pytest.approx(side, rel=0.06)
    assert found.angle == pytest.approx(angle, abs=5)
    assert 0.5 <= found.score <= 1


def test_heads_look_where_their_noses_point(aligner: FaceAligner, portrait: Image.Image) -> None:
    (found,), (mirrored,) = (aligner.find(tensor(image)) for image in (portrait, ImageOps.mirror(portrait)))
    assert abs(found.yaw) < 15, "she looks at the camera"
    assert mirrored.yaw == pytest.approx(-found.yaw, abs=4)
    model = torch.zeros(2, POINTS, 3)
    model[:, 36:42, 0], model[:, 42:48, 0], model[:, 30, 2] = -0.5, 0.5, NOSE
    for degrees in (-35, 0, 20):
        angle = math.radians(degrees)
        points = torch.stack([math.cos(angle) * model[..., 0] + math.sin(angle) * model[..., 2], model[..., 1]], -1)
        assert torch.allclose(yaws(points), torch.full((2,), float(degrees)), atol=0.01)
        turned = 7 * torch.stack([-points[..., 1], points[..., 0]], -1) + 3
        assert torch.allclose(yaws(turned), torch.full((2,), float(degrees)), atol=0.01)
    assert yaws(torch.zeros(1, POINTS, 2)).abs().item() < 90


def test_the_portrait_s_one_face(aligner: FaceAligner, portrait: Image.Image) -> None:
    photo = tensor(portrait)
    before = photo.clone()
    (found,) = aligner.find(photo)
    expect(found, X, Y, SIDE)
    assert aligner.find(photo) == (found,), "the same every time"
    assert torch.equal(photo, before)
    assert all(type(value) is float for value in (found.x, found.y, found.side, found.angle, found.score))


@pytest.mark.parametrize("side", [60, 110, 350, 700])
def test_sizes(side: int, aligner: FaceAligner, portrait: Image.Image) -> None:
    scale = side / SIDE
    size = round(512 * scale)
    (found,) = aligner.find(tensor(portrait.resize((size, size), Image.Resampling.LANCZOS)))
    expect(found, X * scale, Y * scale, side)


@pytest.mark.parametrize("turn", [-40, -25, -12, 12, 25, 38])
def test_turned_heads(turn: int, aligner: FaceAligner, portrait: Image.Image) -> None:
    canvas = texture(600, 500)
    canvas.paste(portrait, (75, 100))
    about = (75 + X, 100 + Y)
    (found,) = aligner.find(tensor(canvas.rotate(-turn, Image.Resampling.BICUBIC, center=about)))  # Pillow's way round
    expect(found, *about, SIDE, ANGLE + turn)


def test_a_mirrored_photo_has_the_mirrored_frame(aligner: FaceAligner, portrait: Image.Image) -> None:
    (one,), (other,) = aligner.find(tensor(portrait)), aligner.find(tensor(ImageOps.mirror(portrait)))
    assert other.x == pytest.approx(512 - one.x, abs=0.03 * SIDE)
    assert other.y == pytest.approx(one.y, abs=0.03 * SIDE)
    assert other.side == pytest.approx(one.side, rel=0.03)
    assert other.angle == pytest.approx(-one.angle, abs=2)


def test_several_faces_the_largest_first(aligner: FaceAligner, portrait: Image.Image) -> None:
    canvas, head = texture(1000, 700), portrait.crop(HEAD)
    corners = [(10, 10), (400, 20), (720, 30), (20, 380), (380, 400), (700, 330)]
    lengths = [320, 250, 200, 280, 160, 300]
    for corner, length in zip(corners, lengths, strict=True):
        canvas.paste(head.resize((length, length), Image.Resampling.LANCZOS), corner)
    found = aligner.find(tensor(canvas))
    assert len(found) == 6
    assert [frame.side for frame in found] == sorted((frame.side for frame in found), reverse=True)
    for frame, (length, (left, top)) in zip(
        found, sorted(zip(lengths, corners, strict=True), reverse=True), strict=True
    ):
        scale = length / 300
        expect(frame, left + (X - 75) * scale, top + Y * scale, SIDE * scale)


@pytest.mark.parametrize(("left", "top"), [(180, 0), (0, 80), (170, 60)])
def test_a_face_that_the_border_cuts(left: int, top: int, aligner: FaceAligner, portrait: Image.Image) -> None:
    (found,) = aligner.find(tensor(portrait.crop((left, top, 512, 512))))
    expect(found, X - left, Y - top, SIDE)
    corners = found.corners
    assert min(min(corner) for corner in corners) < 0, "its frame reaches beyond the photo"


@pytest.mark.parametrize("box", [(225, 0, 512, 512), (0, 112, 512, 512), (0, 0, 225, 512), (225, 112, 512, 512)])
def test_half_a_face_is_that_face_or_none(
    box: tuple[int, int, int, int], aligner: FaceAligner, portrait: Image.Image
) -> None:
    found = aligner.find(tensor(portrait.crop(box)))
    assert len(found) <= 1
    for frame in found:
        assert math.hypot(frame.x - X + box[0], frame.y - Y + box[1]) < 0.4 * SIDE


def test_grey_photos(aligner: FaceAligner, portrait: Image.Image) -> None:
    (found,) = aligner.find(tensor(portrait.convert("L")))
    expect(found, X, Y, SIDE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_types_of_photos(dtype: torch.dtype, aligner: FaceAligner, portrait: Image.Image) -> None:
    photo = tensor(portrait)
    (one,), (other,) = aligner.find(photo), aligner.find(photo.to(dtype))
    assert (other.x, other.y, other.side) == pytest.approx((one.x, one.y, one.side), abs=0.01 * SIDE)
    assert {parameter.dtype for parameter in aligner.parameters()} == {torch.float32}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [(640, 480), (300, 900)])
def test_texture_holds_no_face(seed: int, size: tuple[int, int], aligner: FaceAligner) -> None:
    assert list(aligner.find(tensor(texture(*size, seed=seed)))) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (31, 33), (1, 30_000), (30_000, 1), (3, 4000), (300, 400)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, None])
def test_flat_and_thin_photos_hold_none(size: tuple[int, int], value: float | None, aligner: FaceAligner) -> None:
    photo = torch.rand(1, 3, *size) if value is None else torch.full((1, 3, *size), value)
    assert list(aligner.find(photo)) == []


def test_finding_keeps_no_graph_and_no_noise(aligner: FaceAligner, portrait: Image.Image) -> None:
    photo = tensor(portrait).requires_grad_()
    state = torch.random.get_rng_state()
    (found,) = aligner.find(photo)
    assert torch.equal(torch.random.get_rng_state(), state)
    content = found.cut(photo)
    content.sum().backward()  # the frame is a constant, its content is not
    assert photo.grad is not None
    assert photo.grad[..., 60:160, 180:270].abs().min() > 0


def test_the_detector_on_a_batch_is_the_detector_one_by_one(aligner: FaceAligner, portrait: Image.Image) -> None:
    images = torch.cat([tensor(texture(160, 128, 1)), tensor(portrait.crop(HEAD).resize((160, 128)))])
    together = aligner.detector(images)
    assert together.shape == (2, 420, 15)
    for index in range(2):
        alone = aligner.detector(images[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-3, atol=1e-3)
    assert together[0, :, 4].max() < 0.5 < together[1, :, 4].max()


def test_the_landmarks_on_a_batch_are_those_one_by_one(aligner: FaceAligner, portrait: Image.Image) -> None:
    frame = Frame(X, Y + 10, 0.7 * SIDE, ANGLE)
    face = torch.nn.functional.interpolate(frame.cut(tensor(portrait)), (POINTS_SIDE, POINTS_SIDE))
    images = torch.cat([face, face.flip(-1), torch.rand(1, 3, POINTS_SIDE, POINTS_SIDE)])
    together = aligner.landmarks(images)
    assert together.shape == (3, POINTS, 2)
    for index in range(3):
        alone = aligner.landmarks(images[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=1e-4)
    right_eye, left_eye, mouth = (together[0, one:two].mean(0) for one, two in ((36, 42), (42, 48), (48, 68)))
    assert right_eye[0] < mouth[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < mouth[1]


def test_the_weights_file_holds_these_networks_and_nothing_else() -> None:
    path = Path(str(importlib.import_module("mbu_ops_checkpoints").__file__)).parent / "faces" / "aligner.safetensors"
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    missing, unexpected = FaceAligner().load_state_dict(tensors, strict=False)
    assert (missing, unexpected) == ([], [])
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    networks = sum(len(network().state_dict()) for network in (FaceDetector, FaceLandmarks))
    assert len(tensors) == networks + 1, "and the mean shape"


def test_what_is_no_photo_is_told(aligner: FaceAligner) -> None:
    with pytest.raises(DTypeError, match="floating-point"):
        aligner.find(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="add a batch dimension"):
        aligner.find(torch.rand(3, 64, 64))
    with pytest.raises(ShapeError, match=r"one photo \(1, 3, H, W\), got 2"):
        aligner.find(torch.rand(2, 3, 64, 64))


def test_it_moves_with_its_module_and_stays_in_single_precision(aligner: FaceAligner, portrait: Image.Image) -> None:
    framed = Framed(torch.nn.Identity(), pretrained()).to(torch.bfloat16)
    photo = tensor(portrait)
    assert framed.find(photo.to(torch.bfloat16))[0][0].score == pytest.approx(aligner.find(photo)[0].score, abs=0.05)
    assert {weight.dtype for weight in framed.parameters()} == {torch.float32}


@pytest.mark.parametrize(("width", "height"), [(1280, 960), (700, 500)])
def test_faces_of_32_pixels(width: int, height: int, aligner: FaceAligner) -> None:
    side = 50  # of the frame: the face itself, brow to chin, is two thirds of it
    heads = [(x, y, round(side / 0.6)) for x in (120, 420, 600) for y in (60, 230, 400)]
    found = aligner.find(tensor(head_on_texture(width, height, *heads)))
    assert len(found) >= 8
    assert all(one.side == pytest.approx(side, rel=0.15) for one in found)


def test_faces_of_20_pixels_where_small_ones_are_wanted(aligner: FaceAligner) -> None:
    side = 30
    heads = [(x, y, round(side / 0.6)) for x in (120, 620, 1100) for y in (60, 430)]
    photo = tensor(head_on_texture(1280, 640, *heads))
    assert len(aligner.find(photo)) < 3
    found = mbu_ops.aligner("faces", small=True).find(photo)
    assert len(found) == 6
    assert all(isinstance(one, Frame) and one.side == pytest.approx(side, rel=0.15) for one in found)


def test_places_in_photos_whose_sides_do_not_divide(portrait: Image.Image) -> None:
    small = pretrained()
    small.largest = 300
    whole = portrait.resize((901, 901), Image.Resampling.BICUBIC)
    canvas = texture(1501, 1201)
    canvas.paste(whole, (600, 300))
    (moved,) = small.find(tensor(canvas))
    (alone,) = pretrained().find(tensor(whole))
    assert moved.x - 600 == pytest.approx(alone.x, abs=0.03 * alone.side)
    assert moved.y - 300 == pytest.approx(alone.y, abs=0.03 * alone.side)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_and_edits_the_same(aligner: FaceAligner, portrait: Image.Image) -> None:
    photo = tensor(portrait)
    (expected,) = aligner.find(photo)
    chain = mbu_ops.chain("remove:smile", device="cuda")
    framed = Framed(chain, mbu_ops.aligner("faces", "cuda"), views=2)
    ((found,),) = framed.find(photo.cuda())
    assert found.x == pytest.approx(expected.x, abs=1)
    assert found.y == pytest.approx(expected.y, abs=1)
    assert found.side == pytest.approx(expected.side, rel=0.02)
    places = [[expected]]
    edited = framed(photo.cuda(), places)
    assert edited.is_cuda
    on_cpu = Framed(mbu_ops.chain("remove:smile"), aligner, views=2)(photo, places)
    torch.testing.assert_close(edited.cpu(), on_cpu, rtol=0, atol=5e-3)
