"""Places become tracks, and their ways smooth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mbu_ops.frames import Box, Frame
from mbu_ops.video.tracks import GAP, Found, tracks_of


def found(places: list[tuple[Frame | Box, ...]], cuts: tuple[int, ...] = (), rate: float = 25.0) -> list[Found]:
    return [Found(number / rate, number in cuts, places=those) for number, those in enumerate(places)]


def walk(count: int, start: float = 50.0, side: float = 40.0) -> list[Frame]:
    return [Frame(start + 3 * number, 60.0, side) for number in range(count)]


def test_two_faces_that_pass_each_other_stay_apart() -> None:
    small, large = walk(20, 20), [Frame(150 - 3 * number, 120.0, 60.0) for number in range(20)]
    tracks = tracks_of(
        found([(b, a) if number % 2 else (a, b) for number, (a, b) in enumerate(zip(small, large, strict=True))])
    )
    assert [round(track.places[19].y) for track in tracks] == [60, 120]
    assert all(len(track.places) == 20 for track in tracks)


def test_a_short_gap_is_bridged_and_a_long_one_ends_the_track() -> None:
    frames = walk(60)
    long = round(GAP * 25) + 2
    seen: list[tuple[Frame | Box, ...]] = [(frame,) for frame in frames]
    seen[5:8] = [()] * 3
    seen[30 : 30 + long] = [()] * long
    first, second = tracks_of(found(seen))
    assert sorted(first.places) == list(range(30))
    assert first.places[6].x == pytest.approx(frames[6].x, abs=0.01)
    assert sorted(second.places) == list(range(30 + long, 60))


def test_a_cut_ends_a_track() -> None:
    tracks = tracks_of(found([(frame,) for frame in walk(20)], cuts=(8,)))
    assert [sorted(track.places) for track in tracks] == [list(range(8)), list(range(8, 20))]


def test_what_is_found_once_is_nothing() -> None:
    seen: list[tuple[Frame | Box, ...]] = [(frame,) for frame in walk(20)]
    seen[9] = (*seen[9], Frame(300, 300, 20))
    assert len(tracks_of(found(seen))) == 1


def test_slow_clips_have_tracks_too() -> None:
    slow = [Found(float(number), duration=1.0, places=(Frame(50 + number, 60, 40),)) for number in range(5)]
    [track] = tracks_of(slow)
    assert len(track.places) == 5
    leaps = [one._replace(places=(Frame(50 + 60 * number, 60, 40),)) for number, one in enumerate(slow)]
    assert sorted(number for track in tracks_of(leaps) for number in track.places) == list(range(5))


def test_a_clip_of_one_frame_has_a_track() -> None:
    [track] = tracks_of(found([(Frame(5, 5, 4),)]))
    assert track.places[0].x == pytest.approx(5)


def test_the_largest_is_the_same_one_throughout() -> None:
    one = [Frame(50, 50, 40 + 2 * (number % 2)) for number in range(10)]
    other = [Frame(150, 50, 41) for _ in range(10)]
    seen = found([tuple(sorted(pair, key=lambda place: -place.side)) for pair in zip(one, other, strict=True)])
    for which, x in (("largest", 150), (1, 150), (2, 50)):
        [track] = tracks_of(seen[:-1], which)
        assert track.places[3].x == pytest.approx(x, abs=1)


def test_jitter_goes_and_motion_stays() -> None:
    random = np.random.default_rng(0)
    true = [(100 + 30 * math.sin(number / 9), 170 + number / 3) for number in range(60)]
    seen = [
        (
            Frame(
                x + random.normal(),
                80 + random.normal(),
                60 * math.exp(random.normal() / 60),
                (angle + random.normal()) % 360,
            ),
        )
        for x, angle in true
    ]
    [raw], [smooth] = tracks_of(found(seen), smooth=False), tracks_of(found(seen))
    for track, least, most in ((raw, 0.7, 1.4), (smooth, 0.0, 0.55)):
        off = [track.places[number].x - x for number, (x, _) in enumerate(true)]
        assert least < float(np.std(off)) < most
    turned = [((smooth.places[number].angle - angle + 180) % 360) - 180 for number, (_, angle) in enumerate(true)]
    assert float(np.std(turned)) < 0.6
    assert abs(float(np.mean(turned))) < 0.3


def test_uneven_times_do_not_bend_a_straight_way() -> None:
    times = [0.0, 0.04, 0.05, 0.2, 0.21, 0.3, 0.5]
    [track] = tracks_of([Found(time, places=(Frame(10 + 100 * time, 9, 30),)) for time in times])
    assert [track.places[number].x for number in range(7)] == pytest.approx([10 + 100 * time for time in times])


def test_a_box_stands_still() -> None:
    box = Box(1, 2, 30, 40)
    [track] = tracks_of(found([(box,)] * 6))
    assert set(track.places.values()) == {box}
