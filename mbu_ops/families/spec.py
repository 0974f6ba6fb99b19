"""What a family declares: its attributes, its trained weights and its sample pictures. No torch in here.

A family is a kind of picture (faces) and the local things that can be added to or removed from it (glasses, a
smile). A plugin exposes one :class:`FamilySpec` under the entry-point group ``mbu_ops.families``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from mbu_ops._deprecation import renamed_arguments
from mbu_ops.errors import ConfigurationError, FamilyError
from mbu_ops.families.checks import (
    LABEL,
    MODULE,
    check_file,
    check_first,
    check_flag,
    check_name,
    check_pattern,
    check_rule,
    check_text,
    check_tuple,
    check_unique,
)
from mbu_ops.families.frames import FrameSpec, check_frames, find_frame
from mbu_ops.families.guides import GuideSpec
from mbu_ops.families.layout import Layout
from mbu_ops.families.packaged import PackagedFile
from mbu_ops.families.parts import Anatomy
from mbu_ops.families.rules import Rule, contradictory

API_VERSION = 1
"""The version of these classes; a family written for another one is refused."""

_WEIGHT_ID = re.compile(r"[a-z0-9][a-z0-9_.-]*\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_NOUN = re.compile(r"[^\W\d_]+([ -][^\W\d_]+)*\Z")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")
_FUNCTIONS = ("aligner", "small_aligner", "pictures", "masks", "pen", "hides", "bends", "identity", "judges", "regions")


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One thing that pictures of a family have or have not.

    Attributes:
        name: short name, as in ``add:glasses``.
        title: name for people.
        aliases: other names that mean it.
        with_rule: label rule of the pictures that show it (see :data:`Rule`); empty where no labels exist.
        without_rule: label rule of the pictures that do not.
        balance: labels that should be equally common in both sets when training.
        recipe: name of the published loss weights to train with.
        with_layout: how to stretch and move training pictures that show it, or None.
        without_layout: the same for those that do not.
        neither_rule: of one of a pair (:meth:`against`), label rule of the pictures that show neither.

    Raises:
        ConfigurationError: if a field is malformed.

    Example:
        >>> from mbu_ops.families.rules import rule_holds
        >>> hat = AttributeSpec("hat", "Hat", with_rule=(("Wearing_Hat",),), without_rule=(("!Wearing_Hat",),))
        >>> rule_holds(hat.with_rule, {"Wearing_Hat": True})
        True
    """

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    with_rule: Rule = ()
    without_rule: Rule = ()
    balance: tuple[str, ...] = ()
    recipe: str = "glasses"
    with_layout: Layout | None = None
    without_layout: Layout | None = None
    neither_rule: Rule = ()

    def __post_init__(self) -> None:
        where = f"attribute {self.name!r}"
        check_name("attribute name", self.name)
        check_text(where, "title", self.title)
        check_tuple(where, "aliases", self.aliases, str)
        for alias in self.aliases:
            check_name(f"{where}: alias", alias)
        for field in ("with_rule", "without_rule", "neither_rule"):
            check_rule(where, field, getattr(self, field))
        check_tuple(where, "balance", self.balance, str)
        for label in self.balance:
            check_pattern(where, "balance label", label, LABEL)
        check_name(f"{where}: recipe", self.recipe)
        for field in ("with_layout", "without_layout"):
            if type(getattr(self, field)) not in (Layout, type(None)):
                raise ConfigurationError(f"{where}: {field} must be a Layout or None, got {getattr(self, field)!r}")

    def narrowed(self, labels: Sequence[str]) -> Self:
        """Return the attribute for those pictures only that have all these labels, or have not where "!" precedes.

        Raises:
            ConfigurationError: for what is no label, and where no picture can have them.

        Example:
            >>> hat = AttributeSpec("hat", "Hat", with_rule=(("Wearing_Hat",),), without_rule=(("!Wearing_Hat",),))
            >>> hat.narrowed(["!Male"]).with_rule
            (('Wearing_Hat', '!Male'),)
        """
        where = f"attribute {self.name!r}"
        for label in labels:
            check_pattern(where, "label", label, LABEL)
        rules = {"with": self.with_rule, "without": self.without_rule, "neither": self.neither_rule}
        for side, rule in rules.items():
            rules[side] = tuple(one for one in ((*each, *labels) for each in rule) if not contradictory(one))
            if rule and not rules[side]:
                raise ConfigurationError(
                    f"{where}: no picture {side} it can be {' and '.join(labels)}: its rule is {rule!r}"
                )
        settled = {label.removeprefix("!") for label in labels}
        return replace(
            self,
            with_rule=rules["with"],
            without_rule=rules["without"],
            neither_rule=rules["neither"],
            balance=tuple(label for label in self.balance if label not in settled),
        )

    def against(self, other: AttributeSpec) -> Self:
        """Return this attribute as one of a pair: pictures with it and without the other, and the other way round.

        Args:
            other: the pair's other attribute.

        Raises:
            ConfigurationError: if no picture can be on a side.

        Example:
            >>> hat = AttributeSpec("hat", "Hat", with_rule=(("Hat",),), without_rule=(("!Hat",),))
            >>> tie = AttributeSpec("tie", "Tie", with_rule=(("Tie",),), without_rule=(("!Tie",),))
            >>> hat.against(tie).with_rule, hat.against(tie).without_rule
            ((('Hat', '!Tie'),), (('!Hat', 'Tie'),))
        """
        sides: list[Rule] = []
        for mine, theirs in (
            (self.with_rule, other.without_rule),
            (self.without_rule, other.with_rule),
            (self.without_rule, other.without_rule),
        ):
            every = tuple(tuple(dict.fromkeys((*one, *two))) for one in mine for two in theirs)
            sides.append(tuple(one for one in every if not contradictory(one)))
            if every and not sides[-1] and len(sides) < 3:
                raise ConfigurationError(f"no picture can show one of {self.name} and {other.name} without the other")
        labels = {label.removeprefix("!") for side in sides[:2] for one in side for label in one}
        balance = tuple(dict.fromkeys(label for label in (*self.balance, *other.balance) if label not in labels))
        return replace(
            self,
            with_rule=sides[0],
            without_rule=sides[1],
            neither_rule=sides[2],
            balance=balance,
            without_layout=other.with_layout or self.without_layout,
        )


AttributeSpec.__init__ = renamed_arguments(  # type: ignore[method-assign]
    "0.3.0", {"with_placement": "with_layout", "without_placement": "without_layout"}
)(AttributeSpec.__init__)


@dataclass(frozen=True, slots=True)
class WeightSpec(PackagedFile):
    """One file of trained weights that comes with a family.

    Attributes:
        id: name among its attribute's weights, for ``family/attribute/id``.
        method: name of the method that reads it.
        attributes: names of the attributes it was trained on.
        file: path inside ``package``, with forward slashes.
        sha256: digest of the file, 64 lower-case hex digits.
        size: bytes of the file.
        licence: what it may be used for.
        package: importable package that holds the file.
        metrics: measured figures, as ``(name, value)``.
        verbs: what its method can do, such as ``transfer``; empty where nobody wrote it down.
        frame: name of the family's frame that it was trained on; None for the first.
        first_for: those of its verbs for which it comes before the attribute's other weights, wherever it is listed.
        follows_guides: whether different guides give different edits; where a guide is named, those that do come first.

    Raises:
        ConfigurationError: if a field is malformed.
    """

    id: str
    method: str
    attributes: tuple[str, ...]
    file: str
    sha256: str
    size: int
    licence: str
    package: str = "mbu_ops_checkpoints"
    metrics: tuple[tuple[str, float], ...] = ()
    verbs: tuple[str, ...] = ()
    frame: str | None = None
    first_for: tuple[str, ...] = ()
    follows_guides: bool = True

    def __post_init__(self) -> None:
        where = f"weights {self.id!r}"
        check_pattern(where, "id", self.id, _WEIGHT_ID)
        check_name(f"{where}: method", self.method)
        check_tuple(where, "attributes", self.attributes, str)
        if not self.attributes:
            raise ConfigurationError(f"{where}: name at least one attribute")
        check_file(where, self.file)
        check_pattern(where, "sha256", self.sha256, _SHA256)
        if type(self.size) is not int or self.size <= 0:
            raise ConfigurationError(f"{where}: size must be a positive number of bytes, got {self.size!r}")
        check_text(where, "licence", self.licence)
        check_pattern(where, "package", self.package, MODULE)
        check_tuple(where, "verbs", self.verbs, str)
        check_first(where, self.first_for, self.verbs)
        check_flag(where, "follows_guides", self.follows_guides)
        if self.frame is not None:
            check_name(f"{where}: frame", self.frame)
        check_tuple(where, "metrics", self.metrics, tuple)
        for metric in self.metrics:
            name, value = metric if len(metric) == 2 else (None, None)
            if not isinstance(name, str) or type(value) not in (int, float) or not math.isfinite(value):
                raise ConfigurationError(f"{where}: metrics must hold (name, finite number), got {metric!r}")


@dataclass(frozen=True, slots=True)
class SampleSpec(PackagedFile):
    """One picture that comes with a family.

    Attributes:
        name: name within the family.
        file: path inside ``package``, with forward slashes.
        package: importable package that holds the file.
        credit: who made it and under which licence.
        box: the model frame within the picture as ``(left, top, right, bottom)`` pixels; None = all of it.
        attributes: names of the attributes it shows.

    Raises:
        ConfigurationError: if a field is malformed.
    """

    name: str
    file: str
    package: str
    credit: str
    box: tuple[int, int, int, int] | None = None
    attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"sample {self.name!r}"
        check_name("sample name", self.name)
        check_file(where, self.file)
        check_pattern(where, "package", self.package, MODULE)
        check_text(where, "credit", self.credit)
        check_tuple(where, "attributes", self.attributes, str)
        if self.box is not None:
            check_tuple(where, "box", self.box, int)
            if len(self.box) != 4 or not (0 <= self.box[0] < self.box[2] and 0 <= self.box[1] < self.box[3]):
                raise ConfigurationError(f"{where}: box must be (left, top, right, bottom), got {self.box!r}")


@dataclass(frozen=True, slots=True)
class FamilySpec:
    """A kind of picture and everything that is known about editing it.

    Attributes:
        name: short name, as in ``--family faces``.
        api_version: :data:`API_VERSION` that it was written for.
        title: name for people.
        attributes: what can be added and removed.
        weights: trained weights; the first that fits is the default, see :func:`mbu_ops.families.weights_for`.
        samples: pictures to try it on; the first is the demo's.
        guides: pictures of contents, which ``add`` and ``swap`` take where weights hold no codes and nobody names a
            guide; the first of an attribute is its default.
        aligner: ``"module:name"`` of a function that returns what finds the places to edit in a photo, an
            :class:`mbu_ops.frames.Aligner`; None where pictures are edited whole.
        small_aligner: the same of one that finds small places too and takes longer; None if there is none.
        pictures: ``"module:name"`` of a function ``(attribute, partition, count, resolution)`` that draws
            :class:`mbu_ops.data.Pair` pictures to train on and to measure with, or None.
        masks: ``"module:name"`` of a function ``(attribute, images)`` that derives the true masks of images
            ``(N, 3, H, W)`` in [0, 1] as ``(N, 1, H, W)``, empty where it cannot tell, or None; None if there is none.
        regions: ``"module:name"`` of a function ``(attribute, images)`` that finds where an edit of the attribute may
            change images ``(N, 3, H, W)`` in [0, 1], as ``(N, 1, H, W)`` in [0, 1], or None where it cannot tell; None
            if there is none. Methods that keep the background by a loss learn from it.
        pen: ``"module:name"`` of a function ``(attribute, images, frame)`` that draws an attribute on images
            ``(N, 3, H, W)`` in [0, 1] of one of the frames, and returns them and masks ``(N, 1, H, W)`` in [0, 1], or
            None for what it cannot draw; None if there is none. Methods that learn from pairs use it.
        hides: ``"module:name"`` of a function ``(attribute, images, masks, frame)`` that leaves of masks
            ``(N, 1, H, W)`` in [0, 1], which show where the attribute is, what hides the thing behind it, as frames do
            and clear lenses do not; or None for what hides all; None if there is none. By it contents are cut out.
        bends: ``"module:name"`` of a function ``(attribute, images, towards)`` that says how an attribute changes the
            shape of what is around it: flows ``(N, 2, h, w)`` in sides of the first frame, which give images
            ``(N, 3, H, W)`` in [0, 1] without it the shape of those with it, or the other way if not ``towards``; or
            None where it cannot tell; None if there is none. Methods that learn from pairs use it.
        identity: ``"module:name"`` of a function that returns a module which describes whose picture it is:
            ``(N, 3, H, W)`` in [0, 1] to ``(N, D)``, alike for pictures of one subject; None if there is none.
        judges: ``"module:name"`` of a function ``(role)`` that returns a :class:`mbu_ops.evaluation.judge.Judge`: for
            ``"report"`` one that grades edits, for ``"choose"`` one that may choose weights; None if there is none.
        anatomy: the parts that its pictures consist of, for methods that learn from masks or put pictures together;
            None if nobody named them.
        frames: the rectangles that its networks see; the first is what the aligner finds. Empty for one frame that is
            all of that.
        noun: what the aligner finds, or a picture shows, in one word for messages: "expected a face, found none".

    Raises:
        ConfigurationError: if a field is malformed, or two entries claim one name.

    Example:
        >>> FamilySpec("pets", title="Pets", attributes=(AttributeSpec("collar", "Collar"),)).attributes[0].name
        'collar'
    """

    name: str
    api_version: int = API_VERSION
    title: str = ""
    attributes: tuple[AttributeSpec, ...] = ()
    weights: tuple[WeightSpec, ...] = ()
    samples: tuple[SampleSpec, ...] = ()
    guides: tuple[GuideSpec, ...] = ()
    aligner: str | None = None
    small_aligner: str | None = None
    pictures: str | None = None
    masks: str | None = None
    pen: str | None = None
    hides: str | None = None
    bends: str | None = None
    identity: str | None = None
    judges: str | None = None
    regions: str | None = None
    anatomy: Anatomy | None = None
    frames: tuple[FrameSpec, ...] = ()
    noun: str = "thing"

    def __post_init__(self) -> None:
        where = f"family {self.name!r}"
        check_name("family name", self.name)
        if self.api_version != API_VERSION:
            raise ConfigurationError(
                f"{where}: this mbu-ops reads families of api_version {API_VERSION}, got {self.api_version!r}; "
                "install versions of the two that fit"
            )
        if not isinstance(self.title, str):
            raise ConfigurationError(f"{where}: title must be text, got {self.title!r}")
        check_pattern(where, "noun", self.noun, _NOUN)
        check_tuple(where, "attributes", self.attributes, AttributeSpec)
        check_tuple(where, "weights", self.weights, WeightSpec)
        check_tuple(where, "samples", self.samples, SampleSpec)
        check_tuple(where, "guides", self.guides, GuideSpec)
        if type(self.anatomy) not in (Anatomy, type(None)):
            raise ConfigurationError(f"{where}: anatomy must be an Anatomy or None, got {self.anatomy!r}")
        for field in _FUNCTIONS:
            if (target := getattr(self, field)) is not None:
                check_pattern(where, field, target, _TARGET)
        check_unique(where, "attribute", [n for a in self.attributes for n in (a.name, *a.aliases)])
        check_unique(where, "weights", [f"{name}/{spec.id}" for spec in self.weights for name in spec.attributes])
        check_unique(where, "first_for", [f"{n}/{v}" for w in self.weights for n in w.attributes for v in w.first_for])
        check_unique(where, "sample", [sample.name for sample in self.samples])
        check_unique(where, "guide", [f"{guide.attribute}/{guide.name}" for guide in self.guides])
        check_tuple(where, "frames", self.frames, FrameSpec)
        check_frames(self.frames)
        framed = [(f"weights {weight.id!r}", weight.frame) for weight in self.weights]
        for owner, frame in (*framed, *((f"guide {guide.name!r}", guide.frame) for guide in self.guides)):
            try:
                self.frame(frame)
            except FamilyError as error:
                raise ConfigurationError(f"{where}: {owner}: {error}") from None
        known = {attribute.name for attribute in self.attributes}
        named = [(f"weights {weight.id!r}", weight.attributes) for weight in self.weights]
        named += [(f"sample {sample.name!r}", sample.attributes) for sample in self.samples]
        named += [(f"guide {guide.name!r}", (guide.attribute,)) for guide in self.guides]
        for owner, attributes in named:
            if unknown := sorted(set(attributes) - known):
                raise ConfigurationError(f"{where}: {owner} names attributes it lacks: {', '.join(unknown)}")

    def frame(self, name: str | None = None) -> FrameSpec:
        """Return a frame of the family, in the sides of its first one.

        Args:
            name: which; None for the first.

        Raises:
            FamilyError: if there is none of that name.
        """
        return find_frame(self.frames, name)
