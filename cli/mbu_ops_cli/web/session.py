"""What one open page knows: its photo, its list of steps, and the parts that were found. No Gradio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mbu_ops.errors import ConfigurationError, FrameError
from mbu_ops.families import FamilySpec, get_family
from mbu_ops.frames.choice import USUAL_VIEWS, Which
from mbu_ops_cli.web.choices import Order, Pick, Upload, chosen, edit_commands
from mbu_ops_cli.web.painting import Labels, Region, painted, parts_of, redraw, region
from mbu_ops_cli.web.photos import Outcome, Photo, Strokes, open_photo, run, searched


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What one open page knows; every change gives a new one.

    Attributes:
        family: name of the family whose things are edited.
        photo: the photo, if there is one yet.
        picks: the list of steps.
        labels: parts of the photo, once somebody asked for them.
        box: the rectangle of it that is painted on.

    Example:
        >>> session = Session("faces").with_pick(Pick("remove", "smile"))
        >>> session.order(Pick("segment", "glasses"), kept=[0]).command
        'mbu-ops chain remove:smile -i photo.jpg -o photo-edited.jpg'
    """

    family: str
    photo: Photo | None = None
    picks: tuple[Pick, ...] = ()
    labels: Labels | None = None
    box: Region = (0, 0, 0, 0)

    @property
    def spec(self) -> FamilySpec:
        """The family."""
        return get_family(self.family)

    @property
    def faces(self) -> list[tuple[str, str]]:
        """What there is to choose among in the photo, for people and as ``--face`` names it."""
        count = len(self.photo.places) if self.photo else 0
        return [("all", "all"), *((str(number), str(number)) for number in range(1, count + 1))]

    def opened(self, path: str | Path) -> Session:
        """Return the session with another photo.

        Raises:
            ImageFileError: if it is no picture that can be read, or too large.
        """
        return replace(self, photo=open_photo(Upload.of(path), self.spec), labels=None)

    def of_family(self, name: str) -> Session:
        """Return the session of another family, with the same photo and no steps."""
        photo = self.photo and searched(self.photo, get_family(name))
        return Session(name, photo)

    def with_pick(self, pick: Pick) -> Session:
        """Return the session with one more step.

        Raises:
            ChainSyntaxError: if it cannot follow those before it.
        """
        picks = (*self.picks, pick)
        Order(picks).chain()
        return replace(self, picks=picks)

    def without_picks(self) -> Session:
        """Return the session with an empty list of steps."""
        return replace(self, picks=())

    def order(
        self, draft: Pick, kept: list[int] | None = None, which: Which = "all", views: int = USUAL_VIEWS
    ) -> Order:
        """Return what would be done now.

        Args:
            draft: the step that is being picked.
            kept: numbers of those steps of the list that are ticked.
            which: which of the places found to edit.
            views: views of each.

        Raises:
            ConfigurationError: if no step is ticked.
        """
        upload = self.photo.upload if self.photo else None
        return Order(chosen(self.picks, kept or [], draft), upload, self.family, which, views)

    def run(self, order: Order, folder: Path) -> Outcome:
        """Edit the photo; see :func:`mbu_ops_cli.web.photos.run`.

        Raises:
            ConfigurationError: if there is no photo yet.
            FrameError: if there is nothing to edit in it.
        """
        return run(self._there(), order, folder)

    def parsed(self, which: Which) -> Session:
        """Return the session with the parts of the photo.

        Raises:
            ConfigurationError: if there is no photo yet.
            FrameError: if there is nothing to edit in it.
        """
        photo = self._there()
        return replace(self, labels=parts_of(photo, self.spec, which), box=region(photo, which))

    def repaint(self, strokes: Strokes | None, which: Which, folder: Path) -> tuple[Outcome, str]:
        """Redraw the photo to fit what was painted over its parts, and return the commands that do the same, too.

        Raises:
            ConfigurationError: if there is no photo yet, or nothing was painted.
            FrameError: if there is nothing to edit in the photo.
        """
        photo, anatomy = self._there(), self.spec.anatomy
        if self.labels is None or strokes is None or anatomy is None:
            raise ConfigurationError("expected parts with something painted over them: show the parts first")
        labels = painted(self.labels, strokes, anatomy, self.box)
        return redraw(photo, labels, self.spec, which, folder), edit_commands(photo.upload.name, self.family, which)

    def _there(self) -> Photo:
        if self.photo is None:
            raise ConfigurationError("expected a photo, got none: choose one first")
        if self.photo.problem:
            raise FrameError(self.photo.problem)
        return self.photo


def parse_which(text: str | None) -> Which:
    """Read a choice among the places found.

    Example:
        >>> parse_which("2"), parse_which(None)
        (2, 'all')
    """
    return int(text) if text and text.isdecimal() else "all"
