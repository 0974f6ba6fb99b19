"""Search the frames of a clip: what is to be edited in each, and where scenes begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.aligning import Aligner, FrameLike
from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame
from mbu_ops.video.clip import ClipFrame, ClipSource, check_length
from mbu_ops.video.tracks import Found
from mbu_ops.video.work import WorkFolder, place_from_json, place_to_json

CUT = 0.12
"""Mean change of the colours of a thumbnail from which a new scene begins: faces, hands and pans stay below."""

_THUMBNAIL = 24


def to_tensor(frame: ClipFrame, device: torch.device) -> Tensor:
    """Return a frame as ``(1, 3, H, W)`` RGB in [0, 1].

    Args:
        frame: the frame.
        device: where to.
    """
    pixels = torch.from_numpy(frame.pixels).to(device).permute(2, 0, 1)
    return pixels.to(torch.float32).div_(255)[None]


def thumbnail(image: Tensor) -> Tensor:
    """Return a picture small enough that only a new scene changes all of it."""
    return nn.functional.adaptive_avg_pool2d(image, _THUMBNAIL)


@torch.inference_mode()
def search(
    source: ClipSource,
    aligner: Aligner,
    folder: WorkFolder,
    device: torch.device,
    max_frames: int,
    advance: Callable[[int], object],
) -> list[Found]:
    """Search every frame; those that were searched by a run that was stopped are not searched again.

    Args:
        source: the clip.
        aligner: what finds the places.
        folder: where the work is kept.
        device: where the aligner is.
        max_frames: most frames that the clip may have.
        advance: is told how many frames are done.

    Raises:
        VideoFileError: if the clip is damaged or too long.
        PluginError: if the aligner fails.
    """
    known = folder.found()
    before: Tensor | None = None
    found: list[Found] = []
    with folder.finding(len(known)) as file:
        for number, frame in enumerate(source.frames()):
            check_length(source.kind.path, number + 1, max_frames)
            if number < len(known):
                found.append(_from_json(known[number]))
                # the first frame that is searched is compared with the one before
                before = thumbnail(to_tensor(frame, device)) if number == len(known) - 1 else None
            else:
                image = to_tensor(frame, device)
                small = thumbnail(image)
                cut = before is not None and (small - before).abs().mean().item() > CUT
                places = tuple(_checked(place) for place in aligner.find(image))
                before = small
                found.append(Found(float(frame.time), cut, float(frame.duration), frame.alpha is not None, places))
                file.add(_to_json(found[-1]))
            advance(number + 1)
    return found


def _checked(place: FrameLike) -> Frame | Box:
    if not isinstance(place, Frame | Box):
        raise ConfigurationError(f"expected an aligner that finds frames or boxes, got {type(place).__name__}")
    return place


def _to_json(found: Found) -> dict[str, Any]:
    return {**found._asdict(), "places": [place_to_json(place) for place in found.places]}


def _from_json(line: dict[str, Any]) -> Found:
    return Found(**{**line, "places": tuple(place_from_json(fields) for fields in line["places"])})
