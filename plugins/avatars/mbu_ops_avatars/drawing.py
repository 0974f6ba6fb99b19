"""Draw avatars with and without a thing: the same person twice, and the pixels that differ.

Two styles whose art is CC0: *Lorelei* by Lisa Wischofsky and *Open Peeps* by Pablo Stanley, as remixed by DiceBear. An
avatar depends on its partition and number alone, so everybody with the same versions draws the same people.
"""

from __future__ import annotations

import functools
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import resvg_py
from dicebear import Avatar, Style
from numpy.typing import NDArray
from PIL import Image

from mbu_ops.data import Pair

CHANGE = 16
"""Levels (of 255) by which a channel must differ for a pixel to count as changed: more than faint antialiasing."""

_BACKGROUNDS = ["b6e3f4", "c0aede", "d1d4f9", "ffd5dc", "ffdfbf", "88aa77", "446688", "dddddd", "f4d35e", "ee964b"]
_SKINS = ["ffe0c4", "f6cfa8", "edb98a", "dfa878", "d08b5b", "b87446", "ae5d29", "8a4f2c", "694d3d", "55362a"]
_HAIRS = ["0e0e0e", "2c1b18", "4a312c", "6a4e35", "8d6748", "ab2a18", "c9701f", "b9a05f", "e5d7a3", "9c9c9c", "3f6fb5"]


@dataclass(frozen=True)
class Thing:
    """How a style shows an attribute: a component that some have, or one that all have in two kinds.

    Attributes:
        component: DiceBear's name of it.
        with_: variants that show the attribute.
        without: variants that do not; empty where people without it lack the component.
    """

    component: str
    with_: tuple[str, ...]
    without: tuple[str, ...] = ()

    def options(self, shown: bool) -> dict[str, Any]:
        """Return DiceBear's options for a person who shows it, or does not."""
        variants = self.with_ if shown or not self.without else self.without
        return {
            f"{self.component}Variant": list(variants),
            f"{self.component}Probability": 100 if shown or self.without else 0,
        }


def _numbered(name: str, *numbers: int) -> tuple[str, ...]:
    return tuple(f"{name}{number:02}" for number in numbers)


_CALM = (
    "blank",
    "calm",
    "concerned",
    "contempt",
    "cute",
    "driven",
    "explaining",
    "eyesClosed",
    "old",
    "serious",
    "smile",
)
_LIVELY = ("smileBig", "smileTeethGap", "solemn", "suspicious", "tired", "veryAngry", "cheeky", "eatingHappy")

STYLES: dict[str, tuple[dict[str, Any], dict[str, Thing]]] = {
    "lorelei": (
        {"skinColor": _SKINS, "hairColor": _HAIRS},
        {
            "glasses": Thing("glasses", _numbered("variant", 1, 2, 3, 4, 5)),
            "beard": Thing("beard", _numbered("variant", 1, 2)),
            "smile": Thing(
                "mouth", _numbered("happy", 1, 2, 3, 5, 6, 9, 12, 14, 15, 16), _numbered("sad", 2, 3, 4, 5, 6, 7, 9)
            ),
        },
    ),
    "open-peeps": (
        # an expression is the whole face here, so there is no smile that leaves the eyes alone; faces with round white
        # eyes look as if they wore glasses and are left out
        {"skinColor": _SKINS, "headContrastColor": _HAIRS, "maskProbability": 0, "expressionVariant": _CALM + _LIVELY},
        {
            "glasses": Thing(
                "accessories", ("glasses", "glasses2", "glasses3", "glasses4", "glasses5", "sunglasses", "sunglasses2")
            ),
            "beard": Thing("facialHair", ("chin", "full", "full2", "full3", "full4", "goatee1", "goatee2")),
        },
    ),
}
"""For each style: the options that say nothing of an attribute, and how it shows each attribute it has."""


def draw(attribute: str, partition: str, count: int, resolution: int) -> Iterator[Pair]:
    """Draw people with and without a thing, all else being equal.

    Args:
        attribute: ``"glasses"``, ``"beard"`` or ``"smile"``.
        partition: ``"train"``, ``"validation"`` or ``"test"``: names of crowds who share no person.
        count: how many people.
        resolution: side of the pictures in pixels.

    Yields:
        The same person without and with it, and the pixels that differ.

    Raises:
        ValueError: for another attribute.

    Example:
        >>> pair = next(draw("glasses", "validation", 1, 64))
        >>> pair.with_.shape, bool(pair.mask.any())
        ((64, 64, 3), True)
    """
    styles = [style for style, (_, things) in STYLES.items() if attribute in things]
    if not styles:
        raise ValueError(f"expected glasses, beard or smile, got {attribute!r}")
    for number in range(count):
        style, seed = styles[number % len(styles)], f"{partition}/{number}"
        person = _person(style, seed)
        thing = STYLES[style][1][attribute]
        without, with_ = (_picture(style, person | thing.options(shown), resolution) for shown in (False, True))
        changed = np.abs(with_.astype(np.int16) - without).max(axis=2) >= CHANGE
        yield Pair(without, with_, changed)


def _person(style: str, seed: str) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311 - drawn people, no secrets
    common, things = STYLES[style]
    person: dict[str, Any] = {"seed": seed, "backgroundColor": _BACKGROUNDS, **common}
    for thing in things.values():
        person |= thing.options(chance.random() < 0.3)
    # DiceBear takes a list as what to choose from by seed
    return {name: list(value) if isinstance(value, tuple) else value for name, value in person.items()}


@functools.cache
def _style(name: str) -> Style:
    return Style(json.loads(resources.files("dicebear_styles").joinpath(f"{name}.json").read_text(encoding="utf-8")))


def _picture(style: str, options: dict[str, Any], resolution: int) -> NDArray[np.uint8]:
    svg = Avatar(_style(style), options).to_string()
    drawn = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=resolution, height=resolution))
    return np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB"))
