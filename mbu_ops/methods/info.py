"""What a method says of itself. May import errors and the families' names, and no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.names import NAME

LEARNS_FROM = ("domains", "parts")

_TARGET = re.compile(r"[\w.]+:\w+\Z")

_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "transfer": ("encode_guide", "transfer"),
    "translate": ("encode_guide", "translate"),
    "mix": ("encode", "compared"),
    "generate": ("encode_guide", "generate"),
    "edit": ("parse", "edit"),
}
"""What a verb's op calls; any other verb is one function of the same name."""


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What a method is called, what it can do, and how it is trained.

    Attributes:
        name: the name of its entry point.
        verbs: what it can do. Networks of several contents serve some verbs as a whole, the others content by content.
        objective: what trains it, as ``"module:Class"``; None if ``mbu-ops train`` cannot.
        contents: how many contents one network edits; None = as many as its configuration says.
        learns_from: what training needs: ``"domains"``, images with a content and images without it; or ``"parts"``,
            images whose pixels are labelled.
        follows_guides: whether different guides give different edits.
        mirrors: whether a mirrored image gives the mirrored result: not where left and right have names.
        refines: whether training may begin at half the resolution, see :meth:`mbu_ops.methods.base.Networks.refined`.
        draws: whether the networks draw pictures; some only read them.
        aids: what training asks of a family, where it has it: ``"identity"``, ``"regions"`` or ``"parser"``; or
            ``"pairs"``, which are made of its pictures, ``"reverse"`` such the other way, ``"bends"`` what gives
            pictures the other's shape, and ``"views"`` other views of what lies between a pair's pictures.
        takes_pixels: whether edits take a guide photo's own pixels. A guide's code then begins with its picture as the
            networks see it, RGB and opacity, which stands in where the photo is not at hand.
        swaps_at_once: whether ``swap`` is one function of its own; otherwise to swap is to remove, then to transfer.

    Raises:
        ConfigurationError: if a field is malformed, or fields contradict each other.

    Example:
        >>> info = MethodInfo("stickers", frozenset({"remove", "transfer", "swap"}), "my_stickers:StickersObjective")
        >>> sorted(info.functions("swap"))
        ['encode_guide', 'remove', 'transfer']
    """

    name: str
    verbs: frozenset[str]
    objective: str | None
    contents: int | None = 1
    learns_from: str = "domains"
    follows_guides: bool = True
    mirrors: bool = True
    refines: bool = True
    draws: bool = True
    aids: frozenset[str] = frozenset()
    takes_pixels: bool = False
    swaps_at_once: bool = False

    def __post_init__(self) -> None:
        self._expect(isinstance(self.name, str) and NAME.match(self.name), "a lower-case name", "name")
        self._expect(_is_names(self.verbs) and self.verbs, "a frozenset of verbs", "verbs")
        trains = self.objective is None or (isinstance(self.objective, str) and _TARGET.match(self.objective))
        self._expect(trains, "'module:Class', or None", "objective")
        counts = self.contents is None or (type(self.contents) is int and self.contents > 0)
        self._expect(counts, "a positive whole number, or None", "contents")
        self._expect(self.learns_from in LEARNS_FROM, " or ".join(map(repr, LEARNS_FROM)), "learns_from")
        for field in ("follows_guides", "mirrors", "refines", "draws", "takes_pixels", "swaps_at_once"):
            self._expect(isinstance(getattr(self, field), bool), "True or False", field)
        self._expect(_is_names(self.aids), "a frozenset of names", "aids")
        if self.swaps_at_once and "swap" not in self.verbs:
            raise ConfigurationError(f"method {self.name!r}: swaps_at_once needs the verb swap")
        if "interpolate" in self.verbs and not ("transfer" in self.verbs or self.swaps_at_once):
            raise ConfigurationError(
                f"method {self.name!r}: interpolate needs the verb transfer, or a swap of its own (swaps_at_once), "
                "which draws the mixed codes"
            )

    def functions(self, verb: str) -> tuple[str, ...]:
        """Return the names of the functions that a verb's op calls."""
        codes = ("encode_guide", "transfer" if "transfer" in self.verbs else "swap")
        if verb == "swap":
            return ("encode_guide", "swap") if self.swaps_at_once else ("encode_guide", "remove", "transfer")
        return codes if verb == "interpolate" else _FUNCTIONS.get(verb, (verb,))

    def _expect(self, fits: object, expected: str, field: str) -> None:
        if not fits:
            got = getattr(self, field)
            raise ConfigurationError(f"method {self.name!r}: expected {expected} for {field}, got {got!r}")


def _is_names(value: object) -> bool:
    return isinstance(value, frozenset) and all(isinstance(one, str) and NAME.match(one) for one in value)
