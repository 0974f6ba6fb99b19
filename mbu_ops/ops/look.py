"""How an edit's mask and detail are used, beside what a network draws. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from mbu_ops.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Look:
    """How what a network draws becomes an edit: how its mask is cut, and what of the photo is kept.

    What is None is the verb's own; of the dilation what the weights say where something is removed, and else 0.

    Attributes:
        threshold: mask values up to this one leave the image as it is, bit for bit.
        softness: length of the ramp from there to a full mask; 0 for a hard mask.
        dilation: how far the mask grows first, in pixels of the network's frame.
        detail: share of the image's own detail, finer than the network's pixels, to keep where the structure stayed; 0
            for the network's own, soft pixels.

    Raises:
        ConfigurationError: if a number is out of its range.

    Example:
        >>> Look(threshold=0.2).over(USUAL)
        Look(threshold=0.2, softness=0.1, dilation=None, detail=1.0)
    """

    threshold: float | None = None
    softness: float | None = None
    dilation: int | None = None
    detail: float | None = None

    def __post_init__(self) -> None:
        for name in ("threshold", "softness", "detail"):
            value = getattr(self, name)
            if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
                raise ConfigurationError(f"expected {name} to be a number from 0 to 1, got {value!r}")
        if self.dilation is not None and not (type(self.dilation) is int and self.dilation >= 0):
            raise ConfigurationError(f"expected dilation to be a whole number of pixels from 0, got {self.dilation!r}")

    def over(self, usual: Look) -> Look:
        """Return this look, with another one's values where this one has none."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(usual, **{name: value for name, value in values.items() if value is not None})


USUAL = Look(threshold=0.1, softness=0.1, detail=1.0)
"""Of additions."""

REMOVAL = Look(threshold=0.05, softness=0.1, detail=1.0)
"""Of removals: a rim that stays visible shows what was there."""
