"""Ops that are told what to add, and how they find it: in a tensor, a code, a picture or a default guide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.layer import Layer
from mbu_ops.functional.render import Edit
from mbu_ops.ops.base import EditOp
from mbu_ops.ops.bound import Bound
from mbu_ops.ops.guides import GuideLike, InFrame, cut_out, encode_picture, frame_of_picture
from mbu_ops.ops.method import Sight, check_guide, encode_guide, expand_code
from mbu_ops.ops.one_input import edit_whole
from mbu_ops.ops.options import OptionValue

if TYPE_CHECKING:
    from mbu_ops.images.memory import Picture


class GuidedOp(EditOp):
    """An op that needs to be told what to add.

    Args:
        model: a method that serves the verb.
        look: how the mask is cut and what detail is kept, see :class:`mbu_ops.ops.look.Look`.
        guides: default guide codes ``(N, C, S, S)``.

    Attributes:
        encode: turns what the op is told into one code (or one for each image), which ``predict`` takes.
    """

    encode: Callable[..., Tensor]

    def in_frame(self, guide: Tensor, name: str = "guide") -> Tensor:
        """Return the weights' frame of guides: of photos, which show the family's first frame; things alone fill it.

        Args:
            guide: ``(N, 3, h, w)`` RGB in [0, 1], or with alpha as :func:`mbu_ops.ops.method.check_guide` takes it.
            name: what to call it in errors.
        """
        check_guide(self.model, guide, name)
        return guide if guide.shape[1] == 4 else Sight.of(self.model, guide, self.frame).cut(guide)

    def with_picture(self, picture: Tensor) -> Bound:
        """Return the op bound to a guide picture that shows the weights' frame, which is encoded once."""
        shown = picture if self.model.info.takes_pixels else None
        return Bound(self, code=encode_guide(self.model, picture), guide=shown)

    def with_default(self, number: int) -> Bound:
        """Return the op bound to a default guide: a code that its weights hold, or a picture of their family.

        Args:
            number: which, from 0.

        Raises:
            ConfigurationError: if there is no such guide.
        """
        from mbu_ops.weights import default_guide

        count = self.default_count
        if not 0 <= number < count:
            have = f"have the default guides 0 to {count - 1}" if count else "have no default guides"
            raise ConfigurationError(f"these weights {have}, got guide {number}: name a picture, or another number")
        if self.guides is not None:
            return Bound(self, code=self.guides[number : number + 1])
        assert self.origin is not None  # noqa: S101  (what says that there are pictures)
        picture = default_guide(self.origin.info, number, self.model.info.takes_pixels)
        return self.with_picture(picture.to(self.device))

    @property
    def default_count(self) -> int:
        """How many default guides there are."""
        from mbu_ops.weights import shipped_guides

        if self.guides is not None:
            return len(self.guides)
        return 0 if self.origin is None else len(shipped_guides(self.origin.info))

    def defaults(self) -> Iterator[Bound]:
        """Yield the op bound to each default guide, in order."""
        return map(self.with_default, range(self.default_count))

    def bound_to(self, guide: GuideLike | None, code: Tensor | None = None) -> Bound:
        """Return the op bound to a guide or a code, or to its first default guide where there is neither.

        Args:
            guide: the guide; pictures are looked at as photos are, and encoded once.
            code: its code instead.

        Raises:
            ConfigurationError: if both are given, or neither and the op has no default guides, or not this one.
            FrameError: if a picture shows no place to take it from.
            MBUOpsError: if it is no picture, or cannot be read.
        """
        if guide is not None and code is not None:
            raise ConfigurationError("expected a guide or a code, got both: leave one of them out")
        if code is not None:
            return Bound(self, code=code)
        if isinstance(guide, Tensor):
            return Bound(self, (guide,))
        if isinstance(guide, int):
            return self.with_default(guide)
        if guide is not None:
            return self._with_file(guide)
        if self.default_count:
            return self.with_default(0)
        raise ConfigurationError(
            f"expected a guide or a code, got neither, and these weights have no default guides: call "
            f"{type(self).__name__}.bind(guide)"
        )

    def _with_file(self, guide: Picture) -> Bound:
        """Return the op bound to a picture of which nobody has cut anything out."""
        from mbu_ops.images.memory import as_image_file
        from mbu_ops.weights import pixels_of

        file, user = as_image_file(guide, "guide"), type(self).__name__
        found = None if self.origin is None else frame_of_picture(file, self.origin.info, user, self.device)
        if found is None:
            found = InFrame(self.in_frame(pixels_of(file, self.model.info.takes_pixels).to(self.device)))
        pixels = found.pixels if self.origin is None else cut_out(found.pixels, self.origin.info)
        bound = Bound(self, code=encode_picture(self.model, pixels, self.detector, user))
        if self.model.info.takes_pixels:
            bound.show(pixels, found.yaw)
        return bound

    @classmethod
    def for_step(cls, model: nn.Module, options: Mapping[str, OptionValue], codes: Sequence[Tensor]) -> nn.Module:
        """Return the op with its settings, bound to the first code; arguments as in ``Op.for_step``."""
        return Bound(cls.with_settings(model, options), code=codes[0])

    def edit_code(self, image: Tensor, code: Tensor, guide: Tensor | None = None) -> Edit:
        """Return the edit with a code in place of the guide.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], floating point.
            code: ``(1, C, S, S)`` for all images, or ``(B, C, S, S)``, as :attr:`encode` gives it.
            guide: the guide picture in the weights' frame, for those that take its own pixels; the small one in the
                code by default.
        """
        pictured = self.pictured(code) if guide is None else guide
        return edit_whole(self.model, image, self.passes(code), self.detail, pictured, self.decision, self.frame)

    def pictured(self, code: Tensor) -> Tensor | None:
        """Return the guide picture that a code begins with, with alpha, where weights take a guide's own pixels."""
        return code[:, :4] if self.model.info.takes_pixels else None

    def picture(self, *inputs: Tensor) -> Tensor | None:
        """Return the guide picture in what :attr:`encode` takes, if its own pixels may be taken: that in its code."""
        return self.pictured(self.encode(*inputs)) if self.model.info.takes_pixels else None

    def layer(self, seen: Tensor, *told: Tensor) -> Layer:
        """Return the layer for what the model sees, with the op's look.

        Args:
            seen: ``(B, 3, R, R)`` RGB in [0, 1].
            told: the code.
        """
        (code,) = told
        return super().layer(seen, expand_code(self.model, seen, code))
