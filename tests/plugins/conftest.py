"""The one face that comes with the library."""

from __future__ import annotations

import io

import pytest
from torch import Tensor

from mbu_ops.families import get_family
from mbu_ops.functional import resize
from mbu_ops.images import read


@pytest.fixture(scope="session")
def face() -> Tensor:
    """The portrait, a smiling woman with brown hair, cut to the training frame."""
    sample = get_family("faces").samples[0]
    assert sample.box is not None
    left, top, right, bottom = sample.box
    image = read(io.BytesIO(sample.locate().read_bytes()).getvalue()).to_tensor()[None]
    return resize(image[..., top:bottom, left:right], (128, 128))
