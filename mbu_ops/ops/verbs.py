"""The verbs of the chain grammar, each declared once. No torch here, and no plugin before one is asked for.

The grammar, the plan of a chain, its module, the help of ``mbu-ops chain`` and the table in docs/verbs all read these
records. A distribution adds a verb by an entry point in the group ``mbu_ops.verbs`` that names a :class:`Verb`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import discovery
from mbu_ops.families.choice import weights_for
from mbu_ops.families.discovery import BrokenPlugin, Plugin
from mbu_ops.families.names import NAME, did_you_mean
from mbu_ops.families.spec import FamilySpec, WeightSpec
from mbu_ops.foreign import one_line
from mbu_ops.ops.options import (
    CONTENT,
    DETAIL,
    DILATION,
    GUIDE,
    LOOK,
    METHOD,
    PRESENCE,
    SOFTNESS,
    THRESHOLD,
    TO,
    Option,
    check_line,
    number,
)

__all__ = [
    "Option",
    "Verb",
    "first_weights",
    "get_verb",
    "grammar_words",
    "name_hint",
    "options_of",
    "verb_names",
    "verbs",
]

_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the chain grammar, and the op that does it.

    Attributes:
        name: its word in the grammar, such as ``add``.
        op: class of the op, as ``"module:Class"``: a subclass of :class:`mbu_ops.ops.base.Op`, whose
            :meth:`~mbu_ops.ops.base.Op.for_step` builds the step's module. Imported when a step is built.
        help: one line that says what it does.
        example: a step of it.
        call: the verb that the op asks of a method (its class's ``verb``); the name, if it is left out.
        guides: how many guides it takes: 0, 1, or 2.
        result: what it makes, ``"image"`` or ``"mask"``; a mask ends its chain.
        options: its own options. Those of guides, ``method`` and ``content`` come with the grammar.
        joins: whether steps of it that follow each other on one network of several contents may become one pass: then
            all it does is to give a content its guide's code, or with no guide to take the content away.

    Raises:
        ConfigurationError: if one of these is malformed.

    Example:
        >>> blur = Verb("blur", "my_package.blur:Blur", "blur it", "blur:glasses,radius=3", call="segment")
        >>> blur.call, blur.makes_mask, list(blur.accepts)
        ('segment', False, ['method', 'content'])
    """

    name: str
    op: str
    help: str
    example: str
    call: str = ""
    guides: int = 0
    result: Literal["image", "mask"] = "image"
    options: tuple[Option, ...] = ()
    joins: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and NAME.match(self.name)):
            raise ConfigurationError(
                f"expected a verb's name of lower-case letters, digits and underscores, got {self.name!r}"
            )
        where = f"verb {self.name!r}"
        if self.call == "":
            object.__setattr__(self, "call", self.name)
        check_line(where, "help", self.help)
        check_line(where, "example", self.example)
        ours = self.options if isinstance(self.options, tuple) else ()
        names = [option.name for option in ours if isinstance(option, Option)]
        checks = {
            "op": (isinstance(self.op, str) and bool(_TARGET.fullmatch(self.op)), "'module:Class'"),
            "example": (self.example.startswith(f"{self.name}:"), f"a step such as {self.name}:glasses"),
            "call": (isinstance(self.call, str) and bool(NAME.match(self.call)), "a method's verb, such as 'transfer'"),
            "guides": (type(self.guides) is int and self.guides in (0, 1, 2), "0, 1 or 2"),
            "result": (self.result in ("image", "mask"), "'image' or 'mask'"),
            "options": (isinstance(self.options, tuple) and len(names) == len(ours), "a tuple of Option"),
            "joins": (
                self.joins is False or (self.joins is True and self.result == "image" and self.guides != 2),
                "True only for a verb that makes an image from at most one guide",
            ),
        }
        for field, (fits, expected) in checks.items():
            if not fits:
                raise ConfigurationError(f"{where}: expected {field} to be {expected}, got {getattr(self, field)!r}")
        reserved = {option.name for option in (GUIDE, TO, METHOD, CONTENT)}
        for name in names:
            if name in reserved or names.count(name) > 1:
                reason = "belongs to the grammar" if name in reserved else "is there twice"
                raise ConfigurationError(f"{where}: the option {name!r} {reason}; give it another name")

    @property
    def makes_mask(self) -> bool:
        """Whether its result is a mask, so that no step can follow."""
        return self.result == "mask"

    @property
    def op_name(self) -> str:
        """Name of the op's class."""
        return self.op.partition(":")[2]

    @property
    def accepts(self) -> Mapping[str, Option]:
        """Every option that a step of it may have, by name: for its guides, its own, and those that all verbs have."""
        guides = (GUIDE, TO)[: self.guides]
        return {option.name: option for option in (*guides, *self.options, METHOD, CONTENT)}


_BUILT_IN: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            name="add",
            op="mbu_ops.ops.transfer:Transfer",
            help="add what a guide picture shows",
            example="add:glasses@ref.jpg",
            call="transfer",
            guides=1,
            options=(*LOOK, PRESENCE),
            joins=True,
        ),
        Verb(
            name="remove",
            op="mbu_ops.ops.remove:Remove",
            help="take it away",
            example="remove:smile",
            options=(replace(THRESHOLD, default_text="0.05"), SOFTNESS, DILATION, DETAIL, PRESENCE),
            joins=True,
        ),
        Verb(
            name="swap",
            op="mbu_ops.ops.swap:Swap",
            help="exchange it for the guide's",
            example="swap:facial_hair@ref.jpg",
            guides=1,
            options=(*LOOK, PRESENCE),
        ),
        Verb(
            name="interpolate",
            op="mbu_ops.ops.interpolate:Interpolate",
            help="add a mixture of two guides'",
            example="interpolate:smile@a.jpg,to=b.jpg",
            guides=2,
            options=(Option("amount", number(0, 1), "share of the second guide, 0 to 1", "0.5"), *LOOK, PRESENCE),
        ),
        Verb(
            name="adjust",
            op="mbu_ops.ops.adjust:Adjust",
            help="turn it up or down, by a dial and no guide",
            example="adjust:smile,strength=-0.6",
            options=(Option("strength", number(-1, 1), "the dial, from -1 (none) to 1 (all of it)", "1"), *LOOK),
        ),
        Verb(
            name="translate",
            op="mbu_ops.ops.translate:Translate",
            help="add the guide's, and take away what else the weights know",
            example="translate:glasses@ref.jpg",
            guides=1,
            options=(*LOOK, PRESENCE),
        ),
        Verb(
            name="segment",
            op="mbu_ops.ops.segment:Segment",
            help="find where it is: a mask, as the last step",
            example="segment:glasses",
            result="mask",
            options=(Option("threshold", number(0, 1), "hard mask, white above this value, 0 to 1", "a soft mask"),),
        ),
    )
}


def verb_names() -> tuple[str, ...]:
    """Return the names of every verb, built in or from a plugin, without importing any plugin.

    Example:
        >>> "add" in verb_names()
        True
    """
    found = discovery.discover(discovery.VERBS).plugins
    return tuple(sorted({*_BUILT_IN, *(plugin.name for plugin in found)}))


def get_verb(name: str) -> Verb:
    """Return the verb of that name; imports a plugin only if it is neither built in nor described beside its code.

    Args:
        name: one of :func:`verb_names`.

    Raises:
        ConfigurationError: if there is no such verb, or its plugin is broken.

    Example:
        >>> get_verb("add").op
        'mbu_ops.ops.transfer:Transfer'
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    found = discovery.discover(discovery.VERBS)
    for plugin in found.plugins:
        if plugin.name == name:
            verb = _load(plugin)
            if isinstance(verb, BrokenPlugin):
                raise ConfigurationError(f"verb {name!r}: {verb}")
            return verb
    for entry in found.broken:
        if entry.name == name:
            raise ConfigurationError(f"verb {name!r}: {entry}")
    raise ConfigurationError(f"there is no verb {name!r}.{did_you_mean(name, verb_names())}")


def verbs() -> tuple[Verb, ...]:
    """Return every verb that can be used, the built-in ones first; imports the plugins that bring others.

    Those that their plugins describe (:func:`mbu_ops.ops.verb_description.read_verb`) are read without that.

    A broken plugin is left out with a logged warning.

    Example:
        >>> [verb.name for verb in verbs() if verb.makes_mask][:1]
        ['segment']
    """
    found = discovery.discover(discovery.VERBS)
    loaded = [_load(plugin) for plugin in found.plugins]
    for entry in (*found.broken, *(verb for verb in loaded if isinstance(verb, BrokenPlugin))):
        discovery.report(entry)
    return (*_BUILT_IN.values(), *(verb for verb in loaded if isinstance(verb, Verb)))


def _load(plugin: Plugin) -> Verb | BrokenPlugin:
    reason = "a built-in verb has this name; give yours another"
    if plugin.name not in _BUILT_IN:
        from mbu_ops.ops.verb_description import described

        try:
            if verb := described(plugin):
                return verb
        except ConfigurationError as error:
            return BrokenPlugin(plugin.name, plugin.distribution, one_line(error))
        found = discovery.load(plugin)
        if isinstance(found, BrokenPlugin):
            return found
        if isinstance(found, Verb) and found.name == plugin.name:
            return found
        reason = f"{plugin.target} is not a mbu_ops.ops.verbs.Verb"
        if isinstance(found, Verb):
            reason = f"{plugin.target} is the verb {found.name!r}; give its entry point that name"
    return BrokenPlugin(plugin.name, plugin.distribution, reason)


def options_of(found: Sequence[Verb]) -> list[tuple[Option, list[Verb]]]:
    """Return each option that means something of its own, with the verbs that take it.

    Args:
        found: the verbs.

    Example:
        >>> [(option.name, len(takers)) for option, takers in options_of([get_verb("segment"), get_verb("add")])][:3]
        [('guide', 1), ('threshold', 1), ('threshold', 1)]
    """
    own = {(option.name, option.help): option for verb in found for option in verb.options}
    rows = []
    for option in (GUIDE, TO, *own.values(), METHOD, CONTENT):
        same = [verb for verb in found if (taken := verb.accepts.get(option.name)) and taken.help == option.help]
        if same:
            rows.append((option, same))
    return rows


def grammar_words(calls: Iterable[str]) -> list[str]:
    """Return what a method can do in the words of the grammar, where the grammar has one.

    Args:
        calls: verbs of a method.

    Example:
        >>> grammar_words({"transfer", "remove", "parse"})
        ['add', 'parse', 'remove']
    """
    words = {verb.call: verb.name for verb in reversed(verbs())}  # a built-in verb's word wins
    return sorted(words.get(call, call) for call in calls)


def first_weights(family: FamilySpec, attribute: str) -> dict[str, WeightSpec]:
    """Return what can be done with an attribute: each verb's word, and the weights that it takes first.

    Args:
        family: the family.
        attribute: name of one of its attributes.

    Example:
        >>> from mbu_ops.families import get_family
        >>> list(first_weights(get_family("faces"), "nose"))
        ['segment']
    """
    found = {verb.name: weights_for(family, attribute, verb=verb.call) for verb in verbs()}
    return {word: weights[0] for word, weights in found.items() if weights}


def name_hint(name: str) -> str:
    """Return the end of an error about a class that is not there: which class does the verb of that name.

    Example:
        >>> name_hint("Add"), name_hint("Remove")
        (": the op of the verb 'add' is Transfer", '')
    """
    for verb in _BUILT_IN.values():
        if verb.name.capitalize() == name != verb.op_name:
            return f": the op of the verb {verb.name!r} is {verb.op_name}"
    return ""
