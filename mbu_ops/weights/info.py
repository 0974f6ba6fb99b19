"""What a weights file says of itself. No torch in here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from mbu_ops.errors import WeightsError
from mbu_ops.families.names import NAME
from mbu_ops.foreign import one_line, parse_object

SCHEMA = 3
"""The version of :class:`WeightsInfo`."""

_LATER = {"frame": 2, "presence": 3}
"""Fields that came after the first version, with the one that brought them; older descriptions mean their defaults."""

_SCHEMAS = f"1 to {SCHEMA} (a newer mbu-ops may be needed)"

METADATA_KEY = "mbu_ops"
"""Key of the safetensors metadata under which the description is kept, as JSON."""

LARGEST_RESOLUTION = 8192


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """Description of a weights file, kept in its safetensors metadata.

    Attributes:
        method: name of the method whose network it fits.
        config: the method's configuration, as its ``config_to_dict`` gives it.
        resolution: side of the square model frame, in pixels.
        family: name of the family it belongs to; None if it belongs to none.
        attributes: names of the attributes it edits.
        licence: what it may be used for.
        training: facts about how it was made; anything that JSON holds.
        guides: number of default guide codes in the file.
        dtype: of the tensors in the file: ``float16``, ``bfloat16``, ``float32`` or ``float64``.
        schema: version of this description. One of an older version is read as one of this.
        frame: name of the frame of the family that it was trained on; None for the family's first.
        presence: how sure the file's :class:`mbu_ops.methods.presence.Presence` must be of something to do: the least
            probabilities to ``"remove"`` and to ``"add"``; None if the file holds none.

    Raises:
        WeightsError: if a field is malformed.

    Example:
        >>> info = WeightsInfo("mbu", {"resolution": 128}, 128, family="faces", attributes=("glasses",))
        >>> WeightsInfo.from_json(info.to_json()) == info
        True
    """

    method: str
    config: Mapping[str, object]
    resolution: int
    family: str | None = None
    attributes: tuple[str, ...] = ()
    licence: str = "unknown"
    training: Mapping[str, object] = field(default_factory=dict)
    guides: int = 0
    dtype: str = "float32"
    schema: int = SCHEMA
    frame: str | None = None
    presence: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        _expect(self.schema == SCHEMA, str(SCHEMA), "schema", self.schema)
        _expect(isinstance(self.method, str) and bool(self.method), "a method's name", "method", self.method)
        _expect(isinstance(self.config, dict), "an object", "config", self.config)
        whole = type(self.resolution) is int and 1 <= self.resolution <= LARGEST_RESOLUTION
        _expect(whole, f"1 to {LARGEST_RESOLUTION}", "resolution", self.resolution)
        _expect(self.family is None or isinstance(self.family, str), "a name or null", "family", self.family)
        names = isinstance(self.attributes, tuple) and all(isinstance(name, str) for name in self.attributes)
        _expect(names, "names", "attributes", self.attributes)
        _expect(isinstance(self.licence, str), "text", "licence", self.licence)
        _expect(isinstance(self.training, dict), "an object", "training", self.training)
        _expect(type(self.guides) is int and self.guides >= 0, "a count", "guides", self.guides)
        known = ("float16", "bfloat16", "float32", "float64")
        _expect(self.dtype in known, f"one of {', '.join(known)}", "dtype", self.dtype)
        named = self.frame is None or (isinstance(self.frame, str) and NAME.match(self.frame) is not None)
        _expect(named, "a frame's name or null", "frame", self.frame)
        least = self.presence is None or (
            isinstance(self.presence, dict)
            and set(self.presence) == {"remove", "add"}
            and all(type(value) in (int, float) and 0 <= value <= 1 for value in self.presence.values())
        )
        _expect(least, 'null or {"remove": 0 to 1, "add": 0 to 1}', "presence", self.presence)

    def to_json(self) -> str:
        """Return the description as JSON text.

        Raises:
            WeightsError: if ``training`` or ``config`` holds something that JSON does not.
        """
        try:
            text = json.dumps(asdict(self), allow_nan=False, ensure_ascii=False)
            # a file's name that is no text, say, must not make a description that cannot be read
            return json.dumps(json.loads(text.encode(errors="replace")), sort_keys=True)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"expected a description that JSON can hold: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> WeightsInfo:
        """Read what :meth:`to_json` wrote, in this version or an older one.

        Raises:
            WeightsError: if it is malformed.
        """
        try:
            values = parse_object(text)
        except ValueError as error:
            raise WeightsError(f"expected a description in JSON: {one_line(error)}") from error
        schema = values.get("schema", SCHEMA)
        _expect(type(schema) is int and 1 <= schema <= SCHEMA, _SCHEMAS, "schema", schema)
        known = {entry.name for entry in fields(cls) if _LATER.get(entry.name, 1) <= schema}
        if set(values) != known:
            got = one_line(", ".join(sorted(values)), 500)
            raise WeightsError(f"expected a description with {', '.join(sorted(known))}; got {got}")
        values["schema"] = SCHEMA
        if isinstance(values["attributes"], list):
            values["attributes"] = tuple(values["attributes"])
        return cls(**values)


def _expect(holds: bool, expected: str, name: str, value: object) -> None:
    if not holds:
        raise WeightsError(f"expected {name} to be {expected}, got {value!r:.200}")
