"""Edit a clip: search its frames, track, decide, edit chunk by chunk, and write it as a whole."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError, is_out_of_memory
from mbu_ops.frames.aligners import GuardedAligner
from mbu_ops.frames.drawing import draws_in, steps_of
from mbu_ops.frames.framed import Framed
from mbu_ops.images.writer import to_samples
from mbu_ops.ops.one_input import OneInput
from mbu_ops.video.clip import ClipFrame, ClipSource, Pixels
from mbu_ops.video.finding import to_tensor
from mbu_ops.video.steady import Steadier
from mbu_ops.video.tracks import Found, Track, at_frame
from mbu_ops.video.work import Patch, WorkFolder

if TYPE_CHECKING:
    from mbu_ops.families.aligning import FrameLike

CHUNK = 16
"""Frames after which what was edited is kept: so many are edited again at most by a run that goes on."""

VOTES = 9
"""Frames of a track, evenly spread over it, that say whether a step has something to do there."""

Idle: TypeAlias = Mapping[int, Sequence[int]]
"""By the numbers of the tracks, the steps that have nothing to do there."""

Advance: TypeAlias = Callable[[int], object]
"""Is told how many frames are done."""


class ClipEditor:
    """Edits the frames of one clip.

    Args:
        framed: the op.
        source: the clip.
        found: what was found in its frames.
        tracks: what is edited.
        folder: where work is kept.
        device: where the op is.
        steady: whether to steady what is drawn.
    """

    def __init__(
        self,
        framed: Framed,
        source: ClipSource,
        found: Sequence[Found],
        tracks: Sequence[Track],
        folder: WorkFolder,
        device: torch.device,
        steady: bool,
    ) -> None:
        self.framed, self.source, self.found, self.tracks = framed, source, found, tracks
        self.folder, self.device, self.steady = folder, device, steady
        self.steps = steps_of(framed.op)

    @torch.inference_mode()
    def decide(self, advance: Advance) -> Idle:
        """Return which steps have nothing to do on which tracks: one decision for all frames of each.

        A step is left out on a track where most of :data:`VOTES` of its frames say so, each edited by itself, as the
        photo that it is.
        """
        known = self.folder.read("decisions.json")
        if known is not None:
            return {int(number): steps for number, steps in known.items()}
        votes: Counter[tuple[int, int]] = Counter()
        asked = {track.number: _spread(sorted(track.places), VOTES) for track in self.tracks}
        needed = {number for numbers in asked.values() for number in numbers}
        if any(isinstance(step, OneInput) and step.decision is not None for step in self.steps):
            for number, frame in enumerate(self.source.frames()):
                if number in needed:
                    there = at_frame((track for track in self.tracks if number in asked[track.number]), number)
                    self._ask(to_tensor(frame, self.device), there, votes)
                advance(number + 1)
        idle = {
            number: [step for step in range(len(self.steps)) if 2 * votes[number, step] > len(frames)]
            for number, frames in asked.items()
        }
        self.folder.write("decisions.json", idle)
        return idle

    def _ask(self, image: Tensor, places: Mapping[int, FrameLike], votes: Counter[tuple[int, int]]) -> None:
        tracks = {place: track for track, place in places.items()}
        self.framed(image, [list(places.values())], lambda step, _, place: votes.update([(tracks[place], step)]))

    @torch.inference_mode()
    def edit(self, idle: Idle, advance: Advance) -> int:
        """Edit all frames that are not edited yet, and keep what changed in the work folder.

        Args:
            idle: from :meth:`decide`.
            advance: is told how many frames are done.

        Returns:
            How many frames were edited by runs before.

        Raises:
            ConfigurationError: if memory does not hold a frame.
        """
        following, state = self.folder.state(CHUNK)
        steadier = Steadier()
        steadier.load(state, self.device)
        patches: dict[int, Patch] = {}
        for number, frame in enumerate(self.source.frames()):
            if number >= following:
                patches[number] = self._edit_frame(number, frame, idle, steadier)
            if len(patches) == CHUNK or (patches and number + 1 == len(self.found)):
                self.folder.keep(patches)
                steadier.keep(set(at_frame(self.tracks, number + 1)))
                self.folder.keep_state(number + 1, steadier.state())
                patches = {}
            advance(number + 1)
        return following

    def _edit_frame(self, number: int, frame: ClipFrame, idle: Idle, steadier: Steadier) -> Patch:
        places = at_frame(self.tracks, number)
        if not places:
            return Patch.between(frame.pixels, frame.pixels)
        image = to_tensor(frame, self.device)
        try:
            for index, step in enumerate(self.steps):
                meant = {place: track for track, place in places.items() if index not in idle[track]}
                self._make_step(f"{index}", step, image, meant, self.found[number].time, steadier)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            kind = self.source.kind
            raise ConfigurationError(
                f"{self.device} is out of memory; frames of {kind.width} x {kind.height} are too large for it ({error})"
            ) from None
        return Patch.between(frame.pixels, to_samples(image[0].cpu(), 8))

    def _make_step(
        self,
        name: str,
        step: nn.Module,
        image: Tensor,
        meant: Mapping[FrameLike, int],
        time: float,
        steadier: Steadier,
    ) -> None:
        """Edit a frame in place, as :class:`mbu_ops.Framed` edits photos, but for what is steadied in between."""
        passes: Counter[int] = Counter()
        for draw, places in draws_in(step, [list(meant)]):
            for drawn in self.framed.predict(draw, image, places):
                track = meant[places[0][drawn.spot.place[1]]]
                passes[track] += 1
                if self.steady:
                    drawn = steadier(f"{track}/{name}/{passes[track]}", time, drawn)
                drawn.put_on(image)

    def edited(self, advance: Advance) -> Iterator[tuple[ClipFrame, Pixels]]:
        """Yield each frame as it was, and its pixels as they are to be.

        Args:
            advance: is told how many frames are done.
        """
        patches: dict[int, Patch] = {}
        for number, frame in enumerate(self.source.frames()):
            if number not in patches:
                patches = self.folder.patches(number)
            yield frame, patches[number].on(frame.pixels)
            advance(number + 1)


def _spread(numbers: Sequence[int], count: int) -> list[int]:
    """Return up to so many numbers, evenly spread over all."""
    if len(numbers) <= count:
        return list(numbers)
    return [numbers[round((index + 0.5) * len(numbers) / count - 0.5)] for index in range(count)]


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float | str) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def digest_of(op: Framed) -> str:
    """Return what tells one op from another: what it shows of itself, all its numbers, and its aligner's settings."""
    # where things lie in memory is another place in every run
    digest = hashlib.sha256(re.sub(r" at 0x[0-9a-fA-F]+", "", repr(op)).encode())
    aligner = op.aligner.aligner if isinstance(op.aligner, GuardedAligner) else op.aligner
    settings = {name: value for name, value in sorted(getattr(aligner, "__dict__", {}).items()) if _is_plain(value)}
    digest.update(f"{type(aligner).__qualname__} {settings}".encode())
    for name, tensor in sorted([*op.named_parameters(), *op.named_buffers()], key=lambda one: one[0]):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
