"""The parts that pictures of a family consist of, as a parsing network names every pixel. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ops.errors import ConfigurationError
from mbu_ops.families.checks import check_name

MOST_PARTS = 255
"""A mask of parts is a picture with a palette, whose pixels are bytes."""


@dataclass(frozen=True, slots=True)
class PartSpec:
    """One part: what its pixels are called and shown as. Its number is its position among the family's parts.

    Attributes:
        name: short name, as in ``segment:hair``.
        title: name for people.
        colour: red, green and blue from 0 to 255, in masks that people see and draw.
        mirror: name of the part that this one becomes in a mirrored picture, if another (left and right ear).
        component: name of the component whose look it belongs to when pictures are put together from components; None
            for what stays the picture's own (background).

    Raises:
        ConfigurationError: if a field is malformed.

    Example:
        >>> PartSpec("left_ear", "Left ear", (200, 120, 40), mirror="right_ear", component="skin").component
        'skin'
    """

    name: str
    title: str
    colour: tuple[int, int, int]
    mirror: str | None = None
    component: str | None = None

    def __post_init__(self) -> None:
        check_name("part name", self.name)
        for field in ("mirror", "component"):
            if getattr(self, field) is not None:
                check_name(f"part {self.name!r}: {field}", getattr(self, field))
        if not isinstance(self.title, str) or not self.title.strip():
            raise ConfigurationError(f"part {self.name!r}: title must be non-empty text, got {self.title!r}")
        if (
            not isinstance(self.colour, tuple)
            or len(self.colour) != 3
            or not all(type(value) is int and 0 <= value <= 255 for value in self.colour)
        ):
            raise ConfigurationError(f"part {self.name!r}: colour must be three numbers 0 to 255, got {self.colour!r}")


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """Parts whose look is described together, when pictures are put together from components.

    Attributes:
        name: what :attr:`PartSpec.component` calls it.
        attribute: the attribute whose edits exchange it; several components may share one (both eyes).
        width: of the crop that shows it, around its centre, as a share of the frame's side; 1 for all of the frame.
        height: the same, of its height.

    Raises:
        ConfigurationError: if a field is malformed.

    Example:
        >>> ComponentSpec("left_eye", "eyes", 0.1875, 0.125).attribute
        'eyes'
    """

    name: str
    attribute: str
    width: float = 1.0
    height: float = 1.0

    def __post_init__(self) -> None:
        for field in ("name", "attribute"):
            check_name(f"component {self.name!r}: {field}", getattr(self, field))
        for field in ("width", "height"):
            share = getattr(self, field)
            if type(share) not in (int, float) or not 0 < share <= 1:
                raise ConfigurationError(
                    f"component {self.name!r}: {field} must be above 0 and at most 1, got {getattr(self, field)!r}"
                )


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What pictures of a family consist of.

    Attributes:
        parts: what a pixel can belong to; masks hold their positions in this tuple.
        components: what pictures are put together from; empty where nobody does so.
        whole: the attribute whose edits exchange all components at once; empty if there is none.

    Raises:
        ConfigurationError: if parts or components cannot be told apart, or do not fit each other.

    Example:
        >>> rest, hair = PartSpec("rest", "Rest", (0, 0, 0)), PartSpec("hair", "Hair", (9, 9, 9), component="hair")
        >>> Anatomy((rest, hair), (ComponentSpec("hair", "hair"),), whole="head").contents
        ('hair', 'head')
    """

    parts: tuple[PartSpec, ...]
    components: tuple[ComponentSpec, ...] = ()
    whole: str = ""

    def __post_init__(self) -> None:
        for field, item in (("parts", PartSpec), ("components", ComponentSpec)):
            value = getattr(self, field)
            if not isinstance(value, tuple) or not all(type(entry) is item for entry in value):
                raise ConfigurationError(f"anatomy: {field} must be a tuple of {item.__name__}, got {value!r}")
        if not 2 <= len(self.parts) <= MOST_PARTS:
            raise ConfigurationError(f"anatomy: expected 2 to {MOST_PARTS} parts, got {len(self.parts)}")
        for what, values in (
            ("part names", [part.name for part in self.parts]),
            ("part colours", [str(part.colour) for part in self.parts]),
            ("component names", [component.name for component in self.components]),
        ):
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise ConfigurationError(f"anatomy: {what} must be unique, got twice: {', '.join(twice)}")
        named = {part.name: part for part in self.parts}
        known = {component.name for component in self.components}
        for part in self.parts:
            if part.mirror is not None and (part.mirror not in named or named[part.mirror].mirror != part.name):
                raise ConfigurationError(f"anatomy: part {part.name!r} mirrors {part.mirror!r}, which must mirror it")
            if part.component is not None and part.component not in known:
                raise ConfigurationError(f"anatomy: part {part.name!r} names no component: {part.component!r}")
        if unused := known - {part.component for part in self.parts}:
            raise ConfigurationError(f"anatomy: no part belongs to the component {', '.join(sorted(unused))}")
        if self.whole != "":
            check_name("anatomy: whole", self.whole)
        if self.whole in {component.attribute for component in self.components}:
            raise ConfigurationError(f"anatomy: {self.whole!r} cannot mean a component and all of them")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parts."""
        return tuple(part.name for part in self.parts)

    @property
    def colours(self) -> tuple[tuple[int, int, int], ...]:
        """Colours of the parts."""
        return tuple(part.colour for part in self.parts)

    @property
    def contents(self) -> tuple[str, ...]:
        """Attributes that can be exchanged: those of the components, then the whole."""
        attributes = tuple(dict.fromkeys(component.attribute for component in self.components))
        return (*attributes, self.whole) if self.whole else attributes

    @property
    def mirrored_order(self) -> tuple[int, ...]:
        """For each part, the number of the part that it becomes in a mirrored picture."""
        numbers = {part.name: number for number, part in enumerate(self.parts)}
        return tuple(numbers[part.mirror or part.name] for part in self.parts)

    @property
    def part_components(self) -> tuple[int | None, ...]:
        """For each part, the number of its component, or None."""
        numbers = {component.name: number for number, component in enumerate(self.components)}
        return tuple(None if part.component is None else numbers[part.component] for part in self.parts)
