"""Blind sheets: which photos to show, real or edited, and what the answers to "real or edited?" come to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mbu_ops.data.cutting import Sides, first_frame
from mbu_ops.errors import DataError, FrameError, ImageFileError, PluginError
from mbu_ops.evaluation.figures import Figure, share
from mbu_ops.families.aligning import Aligner, FrameLike
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec
from mbu_ops.files import read_text
from mbu_ops.frames.aligners import noun_of
from mbu_ops.frames.box import Box
from mbu_ops.frames.choice import choose
from mbu_ops.frames.frame import Frame
from mbu_ops.frames.framed import Framed
from mbu_ops.functional.mask import resize
from mbu_ops.images import read

Word = Literal["real", "edited"]
REAL: Word = "real"
EDITED: Word = "edited"

LARGEST_SHOWN = 1024
"""Longest side of a picture that is shown, in pixels; larger faces are shrunk to it."""

_ENDING = re.compile(r"[_-][A-Za-z]+$")


class Photo(NamedTuple):
    """A photo that may be shown.

    Attributes:
        path: the file.
        person: who is in it, as far as anybody knows: nobody is shown twice.
        frame: where the family's first frame lies, as fractions of its sides; None if it has to be found.
    """

    path: Path
    person: str
    frame: Sides | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture of a blind sheet.

    Attributes:
        pixels: ``(3, h, w)`` uint8 RGB.
        step: the edit that was made, as a chain is written; None for a real photo.
        source: the photo it was made from.
    """

    pixels: Tensor
    step: str | None
    source: str

    @property
    def word(self) -> Word:
        """The right answer."""
        return REAL if self.step is None else EDITED


def people_of(paths: Sequence[Path]) -> list[str]:
    """Return who is in each of some photos, by their names.

    That is the file's name without its ending; where all names end in the same word, as in ``001_smile.jpg``, without
    that too. So ``001_smile.jpg`` and ``001_neutral.jpg``, or two files of one name in two folders, are one person.

    Args:
        paths: photos of one kind.

    Example:
        >>> people_of([Path("001_smile.jpg"), Path("003_smile.jpg")]), people_of([Path("a_b.png"), Path("a_c.png")])
        (['001', '003'], ['a_b', 'a_c'])
    """
    stems = [path.stem for path in paths]
    endings = {found.group() if (found := _ENDING.search(stem)) else "" for stem in stems}
    return [stem.removesuffix(next(iter(endings))) for stem in stems] if len(endings) == 1 else stems


class Camera:
    """Takes the pictures of a blind sheet: every one, real or edited, in the same way.

    The photo is decoded, its place found or known, an edit made at the photo's own pixels, and the upright rectangle
    around the frame cut out, pixel by pixel; only what is larger than :data:`LARGEST_SHOWN` is shrunk.

    Args:
        edits: by their names, each a module of one input.
        aligner: what finds the places in photos; None where they are known or the pictures are edited whole.
        frame: which of the family's frames to show.
        views: of each place to edit and average, see :class:`mbu_ops.Framed`.
        device: where the edits and the aligner are.
    """

    def __init__(
        self,
        edits: Mapping[str, torch.nn.Module],
        aligner: Aligner | None = None,
        frame: FrameSpec = WHOLE_FRAME,
        views: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        where = Box(0, 0, 1, 1) if aligner is None else aligner  # never asked: places are given
        self._edits = {name: Framed(edit, where, "largest", views) for name, edit in edits.items()}
        self._aligner, self._frame, self._device = aligner, frame, device

    @torch.inference_mode()
    def take(self, photo: Photo, step: str | None = None) -> Shown | None:
        """Return the picture of a photo, real or with an edit; None if the edit leaves all that is shown as it was.

        Raises:
            ImageFileError: if the photo cannot be read.
            FrameError: if nothing is found in it.
            PluginError: if a plugin's aligner fails.
        """
        pixels = read(photo.path).to_tensor()[None].to(self._device)
        place = self._place(pixels, photo.frame)
        before = self._cut(pixels, place)
        if step is None:
            return Shown(before, None, str(photo.path))
        after = self._cut(self._edits[step](pixels, [[place]]), place)
        return None if torch.equal(before, after) else Shown(after, step, str(photo.path))

    def _place(self, pixels: Tensor, frame: Sides | None) -> FrameLike:
        height, width = pixels.shape[-2:]
        if frame is not None:
            left, top, right, bottom = first_frame(width, height, frame)
            aspect = (bottom - top) / (right - left)
            return Frame((left + right) / 2, (top + bottom) / 2, right - left, aspect=aspect)
        if self._aligner is None:
            return Box(0, 0, width, height)
        return choose(self._aligner.find(pixels), "largest", noun_of(self._aligner))[0]

    def _cut(self, pixels: Tensor, place: FrameLike) -> Tensor:
        height, width = pixels.shape[-2:]
        area = place.part(self._frame).rectangle
        if not area.touches(height, width):
            raise FrameError(f"expected the frame {self._frame.name!r} inside the photo, it lies outside")
        left, top, right, bottom = area.bounds(height, width)
        shown = pixels[..., top:bottom, left:right]
        shrink = max(1.0, max(shown.shape[-2:]) / LARGEST_SHOWN)
        if shrink > 1:
            shown = resize(shown, (round(shown.shape[-2] / shrink), round(shown.shape[-1] / shrink)))
        return shown[0].float().clamp(0, 1).mul(255).round().to(torch.uint8).cpu()


def take_pictures(
    camera: Camera,
    real: Sequence[Photo],
    edited: Sequence[Photo],
    steps: Sequence[str],
    count: int,
    seed: int,
    report: Callable[[str], None],
    advance: Callable[[], None] = lambda: None,
) -> list[Shown]:
    """Return as many real pictures as edited ones, shuffled; nobody is shown twice.

    Args:
        camera: takes them.
        real: photos to show as they are, those to prefer first.
        edited: photos to edit, those to prefer first.
        steps: the edits' names.
        count: pictures with each edit; there are as many real ones as edits times this.
        seed: of the order.
        report: called with one line for each photo that cannot be used.
        advance: called after each picture.

    Raises:
        DataError: if there are too few photos.
    """
    queues: dict[str, Iterator[Photo]] = {REAL: iter(real), EDITED: iter(edited)}
    seen: set[str] = set()
    shown: list[Shown] = []

    def one(step: str | None) -> Shown:
        kind = REAL if step is None else EDITED
        for photo in queues[kind]:
            if photo.person in seen:
                continue
            seen.add(photo.person)
            try:
                picture = camera.take(photo, step)
            except (ImageFileError, FrameError, PluginError) as error:
                report(f"left out: {str(photo.path)!r}: {error}")
                continue
            if picture is not None:
                return picture
            report(f"left out: {str(photo.path)!r}: {step} leaves it as it is")
        raise DataError(
            f"expected {len(steps) * count} photos of different people to show as they are and as many to edit, got "
            f"too few to {'show' if step is None else 'edit'}: add photos, or lower --count"
        )

    for _ in range(count):
        for step in steps:
            for kind in (None, step):
                shown.append(one(kind))
                advance()
    # an order of their own: with the seed alone, every sheet of a size would have its real pictures at the same numbers
    whole = repr([(one.step, one.source) for one in shown]).encode("utf-8", "backslashreplace")
    random = np.random.default_rng((seed, int.from_bytes(hashlib.sha256(whole).digest()[:8])))
    return [shown[index] for index in random.permutation(len(shown))]


@dataclass(frozen=True, slots=True)
class Key:
    """What the pictures of a blind sheet are.

    Attributes:
        sheet: digest of all pictures.
        pictures: what each is, by its name: ``shown`` ("real" or "edited"), ``step`` and ``source``.
        facts: how the sheet was made.
    """

    sheet: str
    pictures: dict[str, dict[str, str | None]]
    facts: dict[str, object]

    def to_json(self) -> str:
        """Return it as text; :meth:`read` reads it."""
        return json.dumps({"sheet": self.sheet, **self.facts, "pictures": self.pictures}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Key:
        """Read a key.

        Raises:
            DataError: if it cannot be read, or is none.
        """
        try:
            facts = json.loads(read_text(path))
            sheet, pictures = facts.pop("sheet"), facts.pop("pictures")
            for picture in pictures.values():
                if picture["shown"] != (REAL if picture["step"] is None else EDITED):
                    raise ValueError(f"got {picture!r}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{str(path)!r}: expected the key that mbu-ops eval-blind wrote beside its sheet: {error}"
            ) from error
        return cls(sheet, pictures, facts)


def read_answers(path: Path, key: Key) -> dict[str, Word]:
    """Read what somebody said of every picture of a sheet.

    Args:
        path: ``answers.json`` that the page gives, or lines such as ``001 real`` or ``001,edited``; a line
            ``sheet DIGEST`` says of which sheet, and those that begin with ``#`` say nothing.
        key: of the sheet.

    Raises:
        DataError: if that is not what the file holds, the answers are of another sheet, or not one for each picture.
    """
    try:
        text = read_text(path).removeprefix("\ufeff")
        given = _from_json(text) if text.lstrip().startswith("{") else _from_lines(text)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{str(path)!r}: expected answers.json as the page gives it, or lines such as '001 real': {error}"
        ) from error
    answers: dict[str, Word] = {}
    for name, word in given:
        if name == "sheet":
            if word != key.sheet:
                raise DataError(
                    f"{str(path)!r} answers the sheet {word!r}, the key is of {key.sheet!r}: give the key that was "
                    "written with that sheet"
                )
        elif name not in key.pictures:
            raise DataError(
                f"{str(path)!r}: expected pictures {min(key.pictures)} to {max(key.pictures)}, got {name!r}: correct it"
            )
        elif name in answers:
            raise DataError(f"{str(path)!r}: expected one answer for the picture {name}, got two: leave one out")
        elif word == REAL:
            answers[name] = REAL
        elif word == EDITED:
            answers[name] = EDITED
        else:
            raise DataError(f"{str(path)!r}: expected 'real' or 'edited' of the picture {name}, got {word!r}")
    if missing := [name for name in key.pictures if name not in answers]:
        raise DataError(
            f"{str(path)!r}: expected an answer for each of the {len(key.pictures)} pictures, got none for "
            f"{', '.join(missing[:5])}{' and more' if len(missing) > 5 else ''}: guess where you cannot tell"
        )
    return answers


def _from_json(text: str) -> list[tuple[str, Any]]:
    """Return pairs, so that an answer given twice is seen to be."""
    whole = dict(json.loads(text, object_pairs_hook=list))
    answers = whole.get("answers")
    if "sheet" not in whole or not isinstance(answers, list) or not all(isinstance(pair, tuple) for pair in answers):
        raise ValueError('expected {"sheet": ..., "answers": {"001": "real", ...}}')
    return [("sheet", whole["sheet"]), *answers]


def _from_lines(text: str) -> list[tuple[str, str]]:
    pairs = []
    for line in text.splitlines():
        words = re.split(r"[\s,;]+", line.strip(" \t\r,;"))
        if words == [""] or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise ValueError(f"got the line {line!r}")
        pairs.append((words[0].removesuffix(".png"), words[1].lower() if words[0] != "sheet" else words[1]))
    return pairs


def score(key: Key, answers: Mapping[str, Word]) -> list[Figure]:
    """Return how often real and edited pictures were told apart, with Wilson's intervals.

    Args:
        key: of the sheet.
        answers: one for each of its pictures.

    Example:
        >>> real, edited = {"shown": "real", "step": None}, {"shown": "edited", "step": "remove:smile"}
        >>> for figure in score(Key("", {"001": real, "002": edited}, {}), {"001": "edited", "002": "edited"}):
        ...     print(figure.title, figure.value)
        told apart (guessing: 50%) 0.5
        real photos called edited 1.0
        remove:smile called edited 1.0
    """

    def said(names: Sequence[str], right: Callable[[str], bool]) -> Tensor:
        return torch.tensor([right(name) for name in names])

    def called_edited(name: str) -> bool:
        return answers[name] == EDITED

    kinds: dict[str | None, list[str]] = {None: []}
    for name, picture in key.pictures.items():
        kinds.setdefault(picture["step"], []).append(name)
    right = said(list(key.pictures), lambda name: answers[name] == key.pictures[name]["shown"])
    figures = [share("told_apart", "told apart (guessing: 50%)", right)]
    for step, names in kinds.items():
        if names:
            name, title = ("real", "real photos") if step is None else (step, step)
            figures.append(share(f"{name}_called_edited", f"{title} called edited", said(names, called_edited)))
    return figures
