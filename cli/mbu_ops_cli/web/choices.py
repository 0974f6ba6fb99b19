"""What was picked on the page, as a chain's text, as a command line and as a recipe. No torch, and no Gradio."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from mbu_ops.errors import ConfigurationError
from mbu_ops.frames.choice import USUAL_VIEWS, Which
from mbu_ops.images import WRITABLE_SUFFIXES
from mbu_ops.ops import ChainSpec
from mbu_ops.ops.options import OptionValue
from mbu_ops.ops.step import StepSpec
from mbu_ops.ops.verbs import get_verb
from mbu_ops_cli.web import catalogue

USUAL_FAMILY = "faces"
"""The family of a command line that names none."""

LONGEST_NAME = 80
"""Characters of a file's name that are kept."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that the page was given.

    Attributes:
        name: what to call it in commands.
        path: where it lies while the page runs.
    """

    name: str
    path: Path

    @classmethod
    def of(cls, path: str | Path) -> Upload:
        """Return the file, under a name that means the same to every shell and to the chain's grammar.

        Where the name that it came with means something else to the grammar, a copy is laid beside it.

        Args:
            path: where it lies, under the name that it came with.

        Example:
            >>> Upload.of("/tmp/x/my ref,guide=2.jpg").name, Upload.of("/tmp/-rf.png").name
            ('my ref,guide_2.jpg', 'rf.png')
        """
        stem = re.sub(r"[^\w. ,()+-]+", "_", PurePath(path).stem).strip("- ._") or "photo"
        name = stem[:LONGEST_NAME] + re.sub(r"[^\w.]+", "", PurePath(path).suffix[:8])
        lies = Path(path)
        if "=" in lies.name and lies.is_file():
            lies = Path(shutil.copyfile(lies, lies.with_name(name)))
        return cls(name, lies)


@dataclass(frozen=True, slots=True)
class Pick:
    """One step as it was picked.

    Attributes:
        word: the verb.
        attribute: name of the attribute.
        method: method of the weights; None for the first.
        guide: number of a default guide, or a picture; None for what the step does without.
        to: the second guide, of verbs that take two.
        options: values of other options, those that differ from where they begin.

    Example:
        >>> str(Pick("adjust", "smile", options=(("strength", 0.5),)).step())
        'adjust:smile,strength=0.5'
    """

    word: str
    attribute: str
    method: str | None = None
    guide: int | Upload | None = None
    to: int | Upload | None = None
    options: tuple[tuple[str, OptionValue], ...] = ()

    def step(self, private: bool = False) -> StepSpec:
        """Return the step in the grammar.

        Args:
            private: whether it is to be carried out here, and names pictures by where they lie.

        Raises:
            ChainSyntaxError: if it makes none.
        """
        options = list(self.options)
        if isinstance(self.guide, int):
            options.insert(0, ("guide", self.guide))
        if self.to is not None:
            options.append(("to", self.to if isinstance(self.to, int) else _called(self.to, private)))
        if self.method is not None:
            options.append(("method", self.method))
        guide = _called(self.guide, private) if isinstance(self.guide, Upload) else None
        return StepSpec(self.word, None, self.attribute, guide, tuple(options))

    @property
    def uploads(self) -> tuple[Upload, ...]:
        """The pictures that it names."""
        return tuple(one for one in (self.guide, self.to) if isinstance(one, Upload))


def pick(
    word: str,
    attribute: str,
    method: str | None = None,
    guide: int | Upload | None = None,
    to: int | Upload | None = None,
    turned: Mapping[str, float] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Pick:
    """Return a step, without what says nothing: sliders where they begin, and empty fields.

    Args:
        word: the verb.
        attribute: name of the attribute.
        method: see :class:`Pick`.
        guide: see :class:`Pick`; verbs that take none leave it out.
        to: see :class:`Pick`.
        turned: where the sliders stand, by the options' names.
        typed: what was typed, by the options' names.

    Raises:
        ConfigurationError: if what was typed is no value of its option.

    Example:
        >>> str(pick("remove", "smile", turned={"detail": 1.0, "threshold": 0.2}, typed={"presence": "0"}).step())
        'remove:smile,threshold=0.2,presence=0.0'
    """
    guides = get_verb(word).guides
    options: list[tuple[str, OptionValue]] = []
    for dial in catalogue.dials(word):
        value = round((turned or {}).get(dial.option.name, dial.start), 4)
        if value != dial.start:
            options.append((dial.option.name, value))
    for option in catalogue.entries(word):
        if text := (typed or {}).get(option.name, "").strip():
            try:
                options.append((option.name, option.kind(text)))
            except ValueError as error:
                raise ConfigurationError(f"{option.name} must be {error}, got {text!r}") from None
    second = (0 if to is None else to) if guides > 1 else None
    return Pick(word, attribute, method, guide if guides else None, second, tuple(options))


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that is asked for: what ``mbu-ops chain`` would be told.

    Attributes:
        picks: the steps, at least one.
        photo: the photo; None where none was given yet.
        family: family of the attributes.
        which: which of the places found to edit.
        views: views of each.

    Raises:
        ConfigurationError: if there are no steps.

    Example:
        >>> order = Order((Pick("remove", "smile"),), Upload.of("my photo.jpg"), which=2)
        >>> print(order.command)
        mbu-ops chain remove:smile -i 'my photo.jpg' -o 'my photo-edited.jpg' --face 2
    """

    picks: tuple[Pick, ...]
    photo: Upload | None = None
    family: str = USUAL_FAMILY
    which: Which = "all"
    views: int = USUAL_VIEWS

    def __post_init__(self) -> None:
        if not self.picks:
            raise ConfigurationError("expected at least one step, got none: pick one")

    def chain(self, private: bool = False) -> ChainSpec:
        """Return the steps as a chain; see :meth:`Pick.step`.

        Raises:
            ChainSyntaxError: if they make none, such as one after ``segment``.
        """
        return ChainSpec(tuple(one.step(private) for one in self.picks))

    @property
    def result(self) -> str:
        """Name of the file that the result is written to."""
        return result_name(self.photo.name if self.photo else "photo.jpg", self.chain().makes_mask)

    @property
    def command(self) -> str:
        """The command line that does the same, quoted for a shell."""
        words = ["mbu-ops", "chain", *map(str, self.chain().steps)]
        words += ["-i", self.photo.name if self.photo else "photo.jpg", "-o", self.result]
        for name, value in self._settings().items():
            words += [f"--{name}", str(value)]
        return shlex.join(words)

    @property
    def recipe(self) -> str:
        """The steps and settings as a TOML file for ``mbu-ops chain --recipe``."""
        steps = [f"    {json.dumps(str(step), ensure_ascii=False)},\n" for step in self.chain().steps]
        settings = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in self._settings().items()]
        return "".join(["steps = [\n", *steps, "]\n", *settings])

    @property
    def uploads(self) -> tuple[Upload, ...]:
        """The pictures that it names."""
        return (*(one for one in (self.photo,) if one), *(one for pick in self.picks for one in pick.uploads))

    def _settings(self) -> dict[str, str | int]:
        usual: dict[str, tuple[str | int, str | int]] = {
            "family": (self.family, USUAL_FAMILY),
            "face": (self.which, "all"),
            "views": (self.views, USUAL_VIEWS),
        }
        return {name: value for name, (value, default) in usual.items() if value != default}


def result_name(photo: str, makes_mask: bool = False) -> str:
    """Return what to call a result: as the photo, in its own format where that can be written.

    Example:
        >>> result_name("a.jpg"), result_name("a.gif"), result_name("a.jpg", makes_mask=True)
        ('a-edited.jpg', 'a-edited.png', 'a-mask.png')
    """
    path = PurePath(photo)
    if makes_mask:
        return f"{path.stem}-mask.png"
    return f"{path.stem}-edited{path.suffix if path.suffix.lower() in WRITABLE_SUFFIXES else '.png'}"


def edit_commands(photo: str, family: str, which: Which) -> str:
    """Return the command lines that redraw a photo to fit a painted mask.

    Example:
        >>> print(edit_commands("me.jpg", "faces", "all"))
        mbu-ops parse -i me.jpg -o me-parts.png
        mbu-ops edit -i me.jpg --mask me-parts.png -o me-edited.jpg
    """
    mask = parts_name(photo)
    more = [word for word in ("--family", family) if family != USUAL_FAMILY]
    more += [word for word in ("--face", str(which)) if which != "all"]
    return "\n".join(
        [
            shlex.join(["mbu-ops", "parse", "-i", photo, "-o", mask, *more]),
            shlex.join(["mbu-ops", "edit", "-i", photo, "--mask", mask, "-o", result_name(photo), *more]),
        ]
    )


def parts_name(photo: str) -> str:
    """Return what to call the mask of a photo's parts."""
    return f"{PurePath(photo).stem}-parts.png"


def in_plain_words(message: str, uploads: Iterable[Upload]) -> str:
    """Return a message with each picture under the name that it came with, and not by where it lies.

    Example:
        >>> in_plain_words("'/tmp/x/1.jpg': no image", [Upload("me.jpg", Path("/tmp/x/1.jpg"))])
        "'me.jpg': no image"
    """
    for one in uploads:
        message = message.replace(str(one.path), one.name)
    return message


def chosen(picks: Sequence[Pick], kept: Sequence[int], draft: Pick) -> tuple[Pick, ...]:
    """Return the steps that run: those of the list that are ticked, or where the list is empty the one being picked."""
    return tuple(picks[number] for number in sorted(kept)) if picks else (draft,)


def _called(upload: Upload, private: bool) -> str:
    return str(upload.path) if private else upload.name
