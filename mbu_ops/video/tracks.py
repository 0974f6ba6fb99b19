"""Link what is found in the frames of a clip to tracks, and smooth the way of each.

A place belongs to the track that leads nearest to it, if that is near enough. Gaps are bridged. The way of a track
(centre, logarithm of the side, angle, yaw) is smoothed by local quadratic regression with Gaussian weights in time: it
lags behind nothing, follows steady acceleration, and minds uneven time stamps. Source: Cleveland, *Robust locally
weighted regression and smoothing scatterplots*, JASA 1979, sections 2 and 3, without the robustness iterations.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mbu_ops.families.aligning import FrameLike
from mbu_ops.frames.box import Box
from mbu_ops.frames.choice import Which
from mbu_ops.frames.frame import SIDEWAYS, Frame

GAP = 0.5
"""Longest time in seconds during which a track is held though nothing is found; of slower clips, to the next frame."""

NEAR = 0.5
"""How far a place may be from where its track leads to, in sides."""

GROWTH = math.log(1.4)
"""How much its side may change, as a logarithm."""

FEWEST = 3
"""Places that make a track: what is found in fewer frames of a longer clip, and shorter than :data:`GAP`, is mostly
nothing."""

WIDTH = 0.12
"""Standard deviation of the weights by which ways are smoothed, in seconds."""

_FARTHEST = 3.0
"""Standard deviations beyond which a frame has no weight."""


_STEPS = 4
"""Last places of a track that say how it moves."""


class Found(NamedTuple):
    """What was found in one frame of a clip.

    Attributes:
        time: when it is shown, in seconds.
        cut: whether a new scene begins with it.
        duration: for how long it is shown, in seconds.
        transparent: whether one of its pixels is.
        places: where there is something to edit, the largest first.
    """

    time: float
    cut: bool = False
    duration: float = 0.0
    transparent: bool = False
    places: tuple[Frame | Box, ...] = ()


@dataclass(slots=True)
class Track:
    """One thing through the frames of a scene.

    Attributes:
        number: of the track, from 0.
        scene: number of its scene, from 0.
        places: where it is, by the numbers of the frames.
    """

    number: int
    scene: int
    places: dict[int, FrameLike] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """Number of the frame that was added last."""
        return next(reversed(self.places))


def tracks_of(found: Sequence[Found], which: Which = "all", smooth: bool = True) -> list[Track]:
    """Return the tracks of a clip.

    Args:
        found: what was found in each of its frames.
        which: which tracks of a scene are meant: all, the largest, or that of this number, the largest being number 1;
            sides are summed over frames, so that it is the same one throughout.
        smooth: whether to smooth their ways.

    Example:
        >>> frames = [Found(index / 25, places=(Frame(10 + index, 20, 12),)) for index in range(10)]
        >>> [track] = tracks_of([*frames[:4], frames[4]._replace(places=()), *frames[5:]])
        >>> sorted(track.places) == list(range(10)), round(track.places[4].x, 3)
        (True, 14.0)
    """
    times = [one.time for one in found]
    linked, lengths = _linked(found)
    kept = [track for track in linked if len(track.places) >= min(FEWEST, lengths[track.scene]) or _lasts(track, found)]
    kept = [track for track in kept if _is_meant(track, kept, which)]
    for track in kept:
        _fill(track, times)
        if smooth:
            track.places = _smoothed(track.places, times)
    return [replace(track, number=number) for number, track in enumerate(kept)]


def at_frame(tracks: Iterable[Track], number: int) -> dict[int, FrameLike]:
    """Return the places in one frame, by the numbers of their tracks.

    Args:
        tracks: all tracks.
        number: the frame's, from 0.
    """
    return {track.number: track.places[number] for track in tracks if number in track.places}


def _linked(found: Sequence[Found]) -> tuple[list[Track], Counter[int]]:
    """Return the tracks as they were found, and how many frames each scene has."""
    tracks: list[Track] = []
    lengths: Counter[int] = Counter()
    scene = 0
    for number, one in enumerate(found):
        scene += one.cut and number > 0
        lengths[scene] += 1
        live = [
            track
            for track in tracks
            if track.scene == scene and (track.last == number - 1 or one.time - found[track.last].time <= GAP)
        ]
        free = dict(enumerate(one.places))
        pairs = [
            (distance, track.number, index)
            for track in live
            for index, place in free.items()
            if (distance := _distance(_expected(track, found, one.time), place)) is not None
        ]
        taken: set[int] = set()
        for _, track_number, index in sorted(pairs):
            if track_number not in taken and index in free:
                tracks[track_number].places[number] = free.pop(index)
                taken.add(track_number)
        for place in free.values():
            tracks.append(Track(len(tracks), scene, {number: place}))
    return tracks, lengths


def _expected(track: Track, found: Sequence[Found], time: float) -> FrameLike:
    """Return where a track would be if it went on as over its last few places."""
    last, *_, first = [*islice(reversed(track.places), _STEPS)] * 2
    before, place = track.places[first], track.places[last]
    took = found[last].time - found[first].time
    if not took or not (isinstance(before, Frame) and isinstance(place, Frame)):
        return place
    on = (time - found[last].time) / took
    return replace(place, x=place.x + on * (place.x - before.x), y=place.y + on * (place.y - before.y))


def _distance(before: FrameLike, after: FrameLike) -> float | None:
    """Return how far apart two places are, or None if they are too far for one thing."""
    if not (isinstance(before, Frame) and isinstance(after, Frame)):
        return 0.0 if before == after else None
    far = math.hypot(after.x - before.x, after.y - before.y) / max(before.side, after.side)
    growth = abs(math.log(after.side / before.side))
    return far + growth if far <= NEAR and growth <= GROWTH else None


def _lasts(track: Track, found: Sequence[Found]) -> bool:
    return sum(found[number].duration for number in track.places) >= GAP


def _is_meant(track: Track, tracks: Sequence[Track], which: Which) -> bool:
    if which == "all":
        return True
    rivals = sorted((one for one in tracks if one.scene == track.scene), key=_size, reverse=True)
    number = which if isinstance(which, int) else 1
    return len(rivals) >= number and rivals[number - 1] is track


def _size(track: Track) -> float:
    return sum(place.rectangle.width for place in track.places.values())


def _fill(track: Track, times: Sequence[float]) -> None:
    """Bridge the gaps of a track by straight lines."""
    for before, after in pairwise(sorted(track.places)):
        for number in range(before + 1, after):
            share = (times[number] - times[before]) / ((times[after] - times[before]) or 1)
            one, other = track.places[before], track.places[after]
            if isinstance(one, Frame) and isinstance(other, Frame):
                ways = _ways({before: one, after: other})
                track.places[number] = _place(ways[0] + share * (ways[1] - ways[0]), one)
            else:
                track.places[number] = one


def _smoothed(places: Mapping[int, FrameLike], times: Sequence[float]) -> dict[int, FrameLike]:
    frames = {number: place for number, place in sorted(places.items()) if isinstance(place, Frame)}
    if len(frames) != len(places):
        return dict(places)  # a box stands still
    ways, moments = _ways(frames), np.array([times[number] for number in frames])
    return {
        number: _place(_regressed(moments - moments[index], ways), place)
        for index, (number, place) in enumerate(frames.items())
    }


def _regressed(apart: NDArray[np.float64], ways: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value of local quadratics at time 0.

    Args:
        apart: ``(N,)``, times.
        ways: ``(N, C)``, values.
    """
    near = np.abs(apart) <= _FARTHEST * WIDTH
    apart, ways = apart[near], ways[near]
    root = np.exp(-0.25 * (apart / WIDTH) ** 2)[:, None]  # of the weights
    degree = min(2, len(apart) - 1)
    basis = (apart[:, None] / WIDTH) ** np.arange(degree + 1)
    found, *_ = np.linalg.lstsq(root * basis, root * ways, rcond=None)
    value: NDArray[np.float64] = found[0]
    return value


def _ways(frames: Mapping[int, Frame]) -> NDArray[np.float64]:
    """Return centre, logarithm of the side, angle and yaw of each frame, ``(N, 5)``; angles do not jump by a turn."""
    angles = np.unwrap([frame.angle for frame in frames.values()], period=360)
    rows = [
        (frame.x, frame.y, math.log(frame.side), angle, frame.yaw)
        for frame, angle in zip(frames.values(), angles, strict=True)
    ]
    return np.array(rows, dtype=np.float64)


def _place(way: NDArray[np.float64], like: Frame) -> Frame:
    x, y, size, angle, yaw = way.tolist()
    return replace(like, x=x, y=y, side=math.exp(size), angle=angle, yaw=max(-SIDEWAYS, min(SIDEWAYS, round(yaw, 1))))
