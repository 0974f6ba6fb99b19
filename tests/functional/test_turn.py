"""Pictures of round things, turned: what a camera sees once a cylinder, or nearly one, has turned."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.turn import turned

angles = st.floats(-60, 60, allow_nan=False)


def stripe(at: float, width: int = 400) -> torch.Tensor:
    """A cut-out of one opaque stripe, at a share of the width."""
    picture = torch.zeros(1, 4, 4, width)
    picture[..., round(at * width) - 2 : round(at * width) + 2] = 1
    return picture


def where(picture: torch.Tensor) -> float | None:
    """Where the stripe is, as a share of the width; None if it is hidden."""
    alpha = picture[0, 3, 1]
    places = (torch.arange(len(alpha)) + 0.5) / len(alpha)
    return float((alpha * places).sum() / alpha.sum()) if alpha.max() > 0.2 else None


@pytest.mark.parametrize("degrees", [-40, -10, 15, 35])
@pytest.mark.parametrize("at", [0.3, 0.5, 0.6])
def test_places_of_the_surface_come_where_a_camera_sees_them(degrees: float, at: float) -> None:
    curvature, angle, across = 1.5, math.radians(degrees), at - 0.5
    deep = -curvature / 2 * across**2  # away from the camera
    wanted = 0.5 + across * math.cos(angle) + deep * math.sin(angle)
    found = where(turned(stripe(at), degrees, curvature))
    assert found == pytest.approx(wanted, abs=0.005)


def test_the_half_that_turns_away_is_foreshortened_and_hidden_at_its_edge() -> None:
    near, far = (where(turned(stripe(at), 35, 2.0)) for at in (0.25, 0.75))
    assert near is not None
    assert far is not None
    assert 0.5 - near > 1.3 * (far - 0.5)
    assert where(turned(stripe(0.97), 50, 3.0)) is None
    assert where(turned(stripe(0.97), -20, 1.0)) is not None


def test_a_plane_only_gets_narrower() -> None:
    picture = turned(stripe(0.8), 60, 0.0)
    assert where(picture) == pytest.approx(0.5 + 0.3 * 0.5, abs=0.005)


@settings(max_examples=25, deadline=None)
@given(angles, st.floats(0, 4))
def test_mirrored_pictures_turn_the_other_way(degrees: float, curvature: float) -> None:
    picture = torch.rand(1, 4, 3, 40, generator=torch.Generator().manual_seed(0))
    there, back = turned(picture, degrees, curvature), turned(picture.flip(-1), -degrees, curvature).flip(-1)
    assert torch.allclose(there, back, atol=1e-3)
    assert there.shape == picture.shape
    assert 0 <= there.min() <= there.max() <= 1


def test_photos_repeat_their_border_and_cut_outs_are_transparent_beyond() -> None:
    photo = torch.full((2, 3, 4, 40), 0.25)
    assert torch.allclose(turned(photo, 30, 2.0), photo)
    thing = turned(torch.ones(1, 4, 4, 40), 45, 3.0)
    assert thing[0, 3, :, -1].max() == 0
    assert torch.allclose(thing[0, :3, :, 10], torch.ones(3, 4))


def test_gradients_reach_the_picture_and_types_stay() -> None:
    photo = torch.rand(1, 3, 4, 20, dtype=torch.float64, requires_grad=True)
    result = turned(photo, 20, 1.0)
    assert result.dtype == torch.float64
    result.sum().backward()
    assert photo.grad is not None
    assert photo.grad.sum() == pytest.approx(4 * 20 * 3, rel=0.3)


@pytest.mark.parametrize(("degrees", "curvature"), [(61, 1.0), (-61, 1.0), (float("nan"), 1.0), (10, -0.1)])
def test_what_cannot_be_turned_is_named(degrees: float, curvature: float) -> None:
    with pytest.raises(ConfigurationError, match="at most 60 degrees"):
        turned(torch.rand(1, 3, 4, 8), degrees, curvature)
