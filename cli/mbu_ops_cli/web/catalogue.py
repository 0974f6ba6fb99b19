"""What the page offers: things, verbs, weights, dials and guides, all from the families and the table of verbs.

No torch, and no Gradio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mbu_ops.errors import MBUOpsError
from mbu_ops.families import FamilySpec, GuideSpec, families
from mbu_ops.families.choice import weights_for
from mbu_ops.ops.options import Numbers, Option
from mbu_ops.ops.verbs import Verb, first_weights, get_verb, verbs
from mbu_ops.weights import read_info, resolve
from mbu_ops.weights.guides import guide_count, shipped_guides


@dataclass(frozen=True, slots=True)
class Dial:
    """An option of a verb that has a range and a number where it begins: a slider.

    Attributes:
        option: the option.
        low: the smallest value.
        high: the largest.
        start: the value that holds when nobody moves it.
        fine: whether most verbs have it, so that it may stay folded away.
    """

    option: Option
    low: float
    high: float
    start: float
    fine: bool


@dataclass(frozen=True, slots=True)
class DefaultGuide:
    """A default guide of some weights.

    Attributes:
        number: what the grammar calls it.
        title: what it shows, for people.
        spec: its picture; None for a code, which nobody can look at.
    """

    number: int
    title: str
    spec: GuideSpec | None


def usable_families() -> tuple[FamilySpec, ...]:
    """Return the families with which something can be done, the one with most weights first.

    Example:
        >>> usable_families()[0].name
        'faces'
    """
    found = [family for family in families() if things(family)]
    return tuple(sorted(found, key=lambda family: -len(family.weights)))


def things(family: FamilySpec) -> list[tuple[str, str]]:
    """Return title and name of each attribute that something can be done with, in the family's order.

    Example:
        >>> from mbu_ops.families import get_family
        >>> things(get_family("handbags"))
        [('Handle', 'handle')]
    """
    return [(one.title, one.name) for one in family.attributes if first_weights(family, one.name)]


def words(family: FamilySpec, attribute: str) -> list[str]:
    """Return the verbs that an attribute has weights for, in the order of the table.

    Example:
        >>> from mbu_ops.families import get_family
        >>> words(get_family("faces"), "nose")
        ['segment']
    """
    return list(first_weights(family, attribute))


def methods(family: FamilySpec, attribute: str, word: str) -> list[str]:
    """Return the methods whose weights can do a verb, the one that is taken first in front.

    Example:
        >>> from mbu_ops.families import get_family
        >>> methods(get_family("faces"), "smile", "remove")[0]
        'native_dial'
    """
    found = weights_for(family, attribute, verb=get_verb(word).call)
    return list(dict.fromkeys(weights.method for weights in found))


def dials(word: str) -> list[Dial]:
    """Return a verb's sliders.

    Example:
        >>> [(dial.option.name, dial.start, dial.fine) for dial in dials("adjust")][:2]
        [('strength', 1.0, False), ('threshold', 0.1, True)]
    """
    found = []
    for option in get_verb(word).options:
        if isinstance(option.kind, Numbers) and (start := _start(option)) is not None:
            found.append(Dial(option, option.kind.low, option.kind.high, start, _is_shared(option)))
    return found


def entries(word: str) -> list[Option]:
    """Return a verb's options that are no sliders, because nothing says where one would begin: they are typed.

    Example:
        >>> [option.name for option in entries("remove")]
        ['dilation', 'presence']
    """
    known = {dial.option.name for dial in dials(word)}
    return [option for option in get_verb(word).options if option.name not in known]


def most(count: str) -> int:
    """Return how many sliders (``"dials"``) or typed options (``"entries"``) a verb has at most.

    Example:
        >>> most("dials") >= 4
        True
    """
    return max(len(dials(verb.name) if count == "dials" else entries(verb.name)) for verb in verbs())


def default_guides(family: FamilySpec, attribute: str, word: str, method: str | None = None) -> list[DefaultGuide]:
    """Return the guides that come with the weights which follow one.

    Args:
        family: the family.
        attribute: name of one of its attributes.
        word: the verb.
        method: of the weights; None takes the first that follow a guide.

    Example:
        >>> from mbu_ops.families import get_family
        >>> default_guides(get_family("faces"), "glasses", "add")[0].title
        'Black, square'
    """
    verb = get_verb(word)
    if not verb.guides:
        return []
    try:
        path, _ = resolve(f"{family.name}/{attribute}", method=method, verb=verb.call, word=word, guided=True)
        info = read_info(path)
    except MBUOpsError:  # the step itself says what is wrong with its weights
        return []
    if pictures := shipped_guides(info):
        return [DefaultGuide(number, guide.title, guide) for number, guide in enumerate(pictures)]
    return [DefaultGuide(number, f"number {number}", None) for number in range(guide_count(info))]


def can_repaint(family: FamilySpec) -> bool:
    """Tell whether pictures of a family can be redrawn to fit a painted mask of parts.

    Example:
        >>> from mbu_ops.families import get_family
        >>> can_repaint(get_family("faces")), can_repaint(get_family("handbags"))
        (True, False)
    """
    anatomy = family.anatomy
    return anatomy is not None and bool(anatomy.whole) and bool(weights_for(family, anatomy.whole, verb="edit"))


def _start(option: Option) -> float | None:
    try:
        return float(option.kind(option.default_text))
    except ValueError:
        return None


def _is_shared(option: Option) -> bool:
    return len(_takers(option, verbs())) > 1


def _takers(option: Option, found: Sequence[Verb]) -> list[Verb]:
    return [verb for verb in found if any(own.name == option.name for own in verb.options)]
