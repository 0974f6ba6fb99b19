"""Steady what networks draw on a track: each layer is mixed with that of the frame before."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mbu_ops.frames.drawing import Drawn
from mbu_ops.functional.layer import Layer, Ramp
from mbu_ops.functional.mask import resize
from mbu_ops.functional.steady import layer_of, mixed, new_share, planes_of

MEMORY = 0.1
"""Time constant of the mean over frames, in seconds: where nothing changes, two thirds of it are not older."""

_SEEN, _TIME, _RAMP = "seen", "time", "ramp"


class _Last(NamedTuple):
    time: float
    layer: Layer
    seen: Tensor


class Steadier:
    """Remembers what was drawn last, for each track, step and prediction.

    Example:
        >>> from mbu_ops.frames.drawing import Spot
        >>> from mbu_ops.functional.layer import painted
        >>> from mbu_ops.functional.similarity import square
        >>> spot = Spot(slice(0, 1), square(8, 8, 8), (8, 8), (0, 0))
        >>> seen, mask = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> steady = Steadier()
        >>> for time, grey in ((0.0, 0.0), (0.04, 1.0)):
        ...     drawn = Drawn(spot, painted(torch.full((1, 3, 8, 8), grey), mask), seen, None)
        ...     layer = steady("0/0/0", time, drawn).layer
        >>> round(layer.bias.mean().item(), 2)
        0.33
    """

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}

    def __call__(self, key: str, time: float, drawn: Drawn) -> Drawn:
        """Return what is drawn, steadied.

        Args:
            key: names the track first, up to a slash, and what is drawn on it.
            time: when its frame is shown, in seconds.
            drawn: what networks drew.
        """
        last, layer = self._last.get(key), drawn.layer
        if last is not None:
            least = 1 - math.exp(-max(time - last.time, 0) / MEMORY)
            seen = resize(last.seen, (drawn.seen.shape[-2], drawn.seen.shape[-1]))
            layer = mixed(last.layer, layer, new_share(seen, drawn.seen, least))
        self._last[key] = _Last(time, layer, drawn.seen)
        return drawn._replace(layer=layer)

    def keep(self, tracks: Collection[int]) -> None:
        """Forget all other tracks.

        Args:
            tracks: numbers of those that go on.
        """
        self._last = {key: last for key, last in self._last.items() if int(key.partition("/")[0]) in tracks}

    def state(self) -> dict[str, Tensor]:
        """Return all that is remembered, by names of one part more than the keys."""
        state: dict[str, Tensor] = {}
        for key, (time, layer, seen) in self._last.items():
            state |= {f"{key}/{name}": plane for name, plane in planes_of(layer).items()}
            state |= {f"{key}/{_SEEN}": seen, f"{key}/{_TIME}": torch.tensor(time, dtype=torch.float64)}
            if layer.ramp is not None:
                state[f"{key}/{_RAMP}"] = torch.tensor(layer.ramp, dtype=torch.float64)
        return state

    def load(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Remember what :meth:`state` returned.

        Args:
            state: from there.
            device: where frames are.
        """
        parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.items():
            key, _, part = name.rpartition("/")
            parts.setdefault(key, {})[part] = tensor
        for key, planes in parts.items():
            time, ramp = planes.pop(_TIME).item(), planes.pop(_RAMP, None)
            here = {name: plane.to(device) for name, plane in planes.items()}
            seen = here.pop(_SEEN)
            self._last[key] = _Last(time, layer_of(here, None if ramp is None else Ramp(*ramp.tolist())), seen)
