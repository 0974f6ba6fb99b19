"""Draw avatars with and without a thing: the same person twice, and where the thing is.

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

COVERED = 0.3
"""Share of a pixel that the thing must cover for the mask to hold it."""

_KEY = "ff00ff"
"""A colour that nothing has: things drawn in it show what they cover."""

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
        hidden_by: attributes that would hide it, and that nobody has where this one is drawn.
    """

    component: str
    with_: tuple[str, ...]
    without: tuple[str, ...] = ()
    hidden_by: tuple[str, ...] = ()

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
                # broad smiles against small straight mouths: a thin line more or less is not much to see, or to learn
                "mouth",
                _numbered("happy", 5, 6, 7, 12, 16),
                _numbered("sad", 2, 3, 4, 9),
                ("beard",),
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
        The same person without and with it, and the pixels that the thing covers, whatever their colour (dark glasses
        cover dark eyes); where everybody has one of two kinds, such as a mouth, those that either covers.

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
        thing = STYLES[style][1][attribute]
        yield _pair(style, thing, _person(style, seed, thing.hidden_by), resolution)


def _pair(style: str, thing: Thing, person: dict[str, Any], resolution: int, **worn: object) -> Pair:
    """Draw a person without and with a thing; ``worn`` says which, where it is not the person's own."""
    shows = {True: person | thing.options(True) | worn, False: person | thing.options(False)}
    without, with_ = (_picture(style, shows[shown], resolution) for shown in (False, True))
    bare = without if not thing.without else _picture(style, person | {f"{thing.component}Probability": 0}, resolution)
    kinds = (True, False) if thing.without else (True,)
    covered = [_covered(style, thing, shows[shown], bare, resolution) for shown in kinds]
    another = functools.partial(_again, style, thing, shows[True], resolution)
    return Pair(without, with_, np.logical_or.reduce(covered), another)


def _again(style: str, thing: Thing, wearer: dict[str, Any], resolution: int) -> Pair:
    """Draw somebody else with the thing that a person wears, and with hair of the same colour: beards are hair."""
    resolved = Avatar(_style(style), wearer).to_json()["options"]
    alike = {name: resolved[name] for name in ("hairColor", "headContrastColor") if name in resolved}
    variant = f"{thing.component}Variant"
    somebody = _person(style, f"{wearer['seed']}/another", thing.hidden_by) | alike
    return _pair(style, thing, somebody, resolution, **{variant: [resolved[variant]]})


def _person(style: str, seed: str, lacks: tuple[str, ...]) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311 - drawn people, no secrets
    common, things = STYLES[style]
    person: dict[str, Any] = {"seed": seed, "backgroundColor": _BACKGROUNDS, **common}
    for name, thing in things.items():
        person |= thing.options(chance.random() < 0.3 and name not in lacks)
    # DiceBear takes a list as what to choose from by seed
    return {name: list(value) if isinstance(value, tuple) else value for name, value in person.items()}


def _covered(
    style: str, thing: Thing, person: dict[str, Any], bare: NDArray[np.uint8], resolution: int
) -> NDArray[np.bool_]:
    """Return which pixels a thing covers, from the picture without it and one with the thing in the key colour."""
    key = np.frombuffer(bytes.fromhex(_KEY), np.uint8).astype(np.int16)
    drawn = _picture(style, person, resolution, keyed=thing.component)
    change = np.abs(drawn.astype(np.int16) - bare).max(axis=2)
    covered: NDArray[np.bool_] = change >= COVERED * np.abs(key - bare).max(axis=2)
    return covered


@functools.cache
def _style(name: str, keyed: str | None = None) -> Style:
    """Return a style; with a component all in the key colour, if one is named."""
    art = json.loads(resources.files("dicebear_styles").joinpath(f"{name}.json").read_text(encoding="utf-8"))
    if keyed is not None:
        art["components"][keyed]["variants"] = _in_key_colour(art["components"][keyed]["variants"])
    return Style(art)


def _in_key_colour(art: Any) -> Any:
    if isinstance(art, list):
        return [_in_key_colour(part) for part in art]
    if isinstance(art, dict):
        return {
            name: f"#{_KEY}" if name in ("fill", "stroke") and part != "none" else _in_key_colour(part)
            for name, part in art.items()
            if name not in ("opacity", "fill-opacity")
        }
    return art


def _picture(style: str, options: dict[str, Any], resolution: int, keyed: str | None = None) -> NDArray[np.uint8]:
    svg = Avatar(_style(style, keyed), options).to_string()
    drawn = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=resolution, height=resolution))
    return np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB"))
