"""One step of a chain and its text: ``verb:attribute[@guide][,key=value...]``. No torch here.

The verb ends at the first ``:``, the attribute at the first ``@``. An option begins at a comma that is followed by
``word=``, so file names may hold other commas, colons and at signs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from mbu_ops.errors import ChainSyntaxError, ConfigurationError
from mbu_ops.families.names import NAME, did_you_mean
from mbu_ops.ops.options import GUIDE, TO, OptionValue
from mbu_ops.ops.verbs import Verb, get_verb, verbs

_OPTION = re.compile(r",(?=[A-Za-z_]+=)")


class _Parts(NamedTuple):
    verb: str
    family: str | None
    attribute: str
    guide: str | None
    options: tuple[tuple[str, OptionValue], ...]


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One edit: what to do with which attribute.

    Attributes:
        verb: word of a verb, such as ``add``; :func:`mbu_ops.ops.verbs.verb_names` lists them.
        family: family of the attribute; None means the one given to :meth:`ChainSpec.bind`.
        attribute: attribute name, or where trained weights are: a path (it holds a slash or ends in ``.safetensors``),
            or a name on the Hugging Face Hub, as in ``remove:hf://user/repo:revision``.
        guide: path of the guide picture; None means ``bind``'s guides, or else a default guide of the weights.
        options: name and value of each option, in the order given.

    Raises:
        ChainSyntaxError: if the parts do not make a valid step.

    Example:
        >>> StepSpec("add", None, "glasses", None, (("guide", 3),))
        StepSpec(verb='add', family=None, attribute='glasses', guide=None, options=(('guide', 3),))
    """

    verb: str
    family: str | None
    attribute: str
    guide: str | None = None
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        # one judge for text, JSON and Python: a step is valid if its text reads back as the same step
        given = _Parts(self.verb, self.family, self.attribute, self.guide, tuple(self.options))
        text = _format(given)
        read = _parse(text)
        if read != given:
            raise ChainSyntaxError(
                f"these parts make the step {text!r}, which reads as {tuple(read)}, not {tuple(given)}"
            )
        object.__setattr__(self, "options", read.options)  # 1 becomes 1.0 where a number is meant

    @classmethod
    def parse(cls, text: str) -> StepSpec:
        """Read ``verb:attribute[@guide][,key=value...]``.

        Raises:
            ChainSyntaxError: with a caret under the character that does not fit.

        Example:
            >>> StepSpec.parse("swap:faces/glasses@ref.jpg").family
            'faces'
        """
        return cls(*_parse(text))

    def __str__(self) -> str:
        return _format(_Parts(self.verb, self.family, self.attribute, self.guide, self.options))


def _fail(text: str, position: int, message: str) -> NoReturn:
    """Raise a :class:`ChainSyntaxError` that shows the step with a caret under one of its characters."""
    raise ChainSyntaxError(f"{message}\n  {text}\n  {' ' * position}^")


def is_weights_path(attribute: str) -> bool:
    """Tell whether an attribute says where trained weights are, rather than ``attribute`` or ``family/attribute``.

    Example:
        >>> is_weights_path("faces/glasses"), is_weights_path("./hats"), is_weights_path("hats.safetensors")
        (False, True, True)
        >>> is_weights_path("hf://user/hats:v1")
        True
    """
    names = attribute.split("/")
    return ("/" in attribute or attribute.endswith(".safetensors")) and not (
        len(names) == 2 and all(NAME.match(name) for name in names)
    )


def _parse(text: str) -> _Parts:
    """Take one step's text apart and check every part of it.

    Raises:
        ChainSyntaxError: with a caret under the first character that does not fit.
    """
    word, colon, rest = text.partition(":")
    if not colon:
        _fail(text, len(text), f"expected verb:attribute, as in remove:smile, got {text!r}")
    try:
        verb = get_verb(word)
    except ConfigurationError as error:
        _fail(text, 0, str(error))
    head, *pieces = _OPTION.split(rest)
    name, at, guide = head.partition("@")
    position = len(word) + 1
    family, attribute = _attribute(text, position, name)
    position += len(name)
    if at and not verb.guides:
        guided = sorted(other.name for other in verbs() if other.guides)
        _fail(text, position, f"{word} takes no guide; only {', '.join(guided)} do")
    if at and not guide.strip():
        _fail(text, position + 1, "expected the path of a guide picture after '@'")
    options = _options(text, verb, len(word) + 1 + len(head), pieces)
    if at and GUIDE.name in dict(options):
        _fail(
            text, text.index(",guide=") + 1, "expected a guide picture (@...) or a default guide (guide=...), got both"
        )
    if verb.guides == 2 and TO.name not in dict(options):
        _fail(text, len(text), f"{word} needs a second guide: ,to=PICTURE (or the number of a default guide)")
    return _Parts(word, family, attribute, guide if at else None, options)


def _attribute(text: str, position: int, name: str) -> tuple[str | None, str]:
    if not name:
        _fail(text, position, "expected an attribute after ':', as in remove:smile")
    if is_weights_path(name):
        return None, name
    family, slash, attribute = name.rpartition("/")
    offset = position
    for part in name.split("/"):
        if not NAME.match(part):
            bad = next((i for i, c in enumerate(part) if not NAME.match(part[: i + 1])), 0)
            _fail(text, offset + bad, f"expected an attribute (letters a-z, digits, '_') or a path, got {name!r}")
        offset += len(part) + 1
    return (family if slash else None), attribute


def _options(text: str, verb: Verb, position: int, pieces: list[str]) -> tuple[tuple[str, OptionValue], ...]:
    options: dict[str, OptionValue] = {}
    known = verb.accepts
    for piece in pieces:
        position += 1
        key, _, value = piece.partition("=")
        if key not in known:
            _fail(text, position, f"{verb.name} has no option {key!r}.{did_you_mean(key, known)}")
        if key in options:
            _fail(text, position, f"the option {key!r} is given twice")
        try:
            options[key] = known[key].kind(value)
        except ValueError as error:
            _fail(text, position + len(key) + 1, f"{key} must be {error}, got {value!r}")
        position += len(piece)
    return tuple(options.items())


def _format(parts: _Parts) -> str:
    attribute = parts.attribute if parts.family is None else f"{parts.family}/{parts.attribute}"
    guide = "" if parts.guide is None else f"@{parts.guide}"
    options = "".join(f",{key}={value}" for key, value in parts.options)
    return f"{parts.verb}:{attribute}{guide}{options}"
