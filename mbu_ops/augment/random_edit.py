"""An edit as an augmentation: in kornia's containers, on samples of a data set, and among torchvision's transforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from kornia.augmentation import IntensityAugmentationBase2D
from kornia.augmentation.random_generator import PlainUniformGenerator
from torch import Tensor, nn

from mbu_ops.augment.samples import map_images
from mbu_ops.augment.steps import DrawnStep, Pool, load_steps, plan_draws
from mbu_ops.errors import ConfigurationError
from mbu_ops.families import FamilySpec
from mbu_ops.families.aligning import Aligner
from mbu_ops.families.aligning import aligner as aligner_of
from mbu_ops.frames.aligners import GuardedAligner, family_to_align
from mbu_ops.frames.choice import Which, check_which
from mbu_ops.frames.framed import Framed, check_views
from mbu_ops.functional.check import check_image
from mbu_ops.ops.bound import Chain
from mbu_ops.ops.chain import ChainSpec


class RandomEdit(IntensityAugmentationBase2D):
    """Edit each picture with a probability, and with a guide or a strength that is drawn for it.

    A kornia augmentation: masks, boxes and keypoints beside the images stay as they are, and ``_params`` of one call,
    given to another as ``params``, replay it. Also a transform of one sample ``(3, H, W)``, of ``(image, target)`` and
    other nested samples, and among torchvision's v2 transforms. The weights are frozen, whatever module it is part of;
    gradients reach the images. A picture in which nothing is found stays as it is, bit for bit.

    Args:
        steps: what to do, as :meth:`mbu_ops.ops.chain.ChainSpec.parse` reads it: ``"add:glasses"``.
        p: how likely a picture is edited, 0 to 1.
        guides: what is drawn from for steps that take a guide and name none: ``"random"`` for the default guides, or a
            list of paths, pictures ``(1, 3, H, W)`` in [0, 1] and numbers of default guides. By attribute
            (``{"glasses": [...]}``) where several steps take guides.
        strength: least and most, from -1 to 1, for ``adjust`` steps that name no strength; by default these are not
            drawn.
        family: family of the steps that name none.
        method: method of the steps that name none; None takes the family's first weights.
        aligner: what finds the places to edit: ``"family"`` for the family's own aligner, which finds faces anywhere in
            photos and guides; None for pictures that are cut to what is edited; or another one, see
            :class:`mbu_ops.Framed`.
        which: which of the places to edit, see :class:`mbu_ops.Framed`.
        views: how many views of each place to average, see :class:`mbu_ops.Framed`.
        same_on_batch: whether all pictures of a batch share one draw.
        keepdim: whether ``(3, H, W)`` stays so, and does not become ``(1, 3, H, W)``.

    Raises:
        ConfigurationError: if ``p``, ``strength``, ``guides``, ``which`` or ``views`` is something else, or a step
            makes a mask.
        ChainSyntaxError: if a step does not follow the grammar.
        MBUOpsError: if weights or guides cannot be found, see :meth:`mbu_ops.ops.chain.ChainSpec.bind`.

    Example:
        >>> augment = RandomEdit("add:glasses", p=0.5, aligner=None)
        >>> images = torch.rand(4, 3, 128, 128)
        >>> edited = augment(images)
        >>> torch.equal(augment(images, params=augment._params), edited)
        True
        >>> image, label = augment((images[0], 7))
        >>> image.shape, label
        (torch.Size([3, 128, 128]), 7)
    """

    def __init__(
        self,
        steps: str | Sequence[str],
        p: float = 0.5,
        guides: Pool | Mapping[str, Pool] = "random",
        strength: tuple[float, float] | None = None,
        *,
        family: str = "faces",
        method: str | None = None,
        aligner: Aligner | Literal["family"] | None = "family",
        which: Which = "all",
        views: int = 1,
        same_on_batch: bool = False,
        keepdim: bool = True,
    ) -> None:
        _check_probability(p)
        _check_strength(strength)
        check_which(which)
        check_views(views)
        spec = ChainSpec.parse(steps)
        if spec.makes_mask:
            raise ConfigurationError(f"expected steps that change images, got {spec.steps[-1]}, which makes a mask")
        super().__init__(p=p, same_on_batch=same_on_batch, keepdim=keepdim)
        self.spec, self.which, self.views = spec, which, views
        plans = plan_draws(spec, family, method, guides)
        guard: GuardedAligner | None = None
        if aligner == "family":
            guard = _guarded(family_to_align([step[0] for step in plans]))
            aligner = None if guard is None else guard.aligner
        self.aligner = aligner
        self.steps = nn.ModuleList(load_steps(plans, strength, guard))
        if self._drawn:
            limits = ((torch.tensor(step.limits, dtype=torch.float32), step.name, None, None) for step in self._drawn)
            self._param_generator = PlainUniformGenerator(*limits)
        self.eval()

    @property
    def _drawn(self) -> list[DrawnStep]:
        return [step for step in self.steps if isinstance(step, DrawnStep)]

    def forward(self, *inputs: Any, params: dict[str, Tensor] | None = None, **kwargs: Any) -> Any:
        """Return the sample with its images edited, all by one draw, and everything else as it is.

        Args:
            inputs: images ``(B, 3, H, W)`` or ``(3, H, W)``, RGB in [0, 1], floating point; or one or several nested
                samples, of which :func:`mbu_ops.augment.samples.map_images` says what is an image.
            params: those of an earlier call, to replay it; drawn by default.
            kwargs: see kornia.

        Returns:
            What was given; several samples come back as a tuple.

        Raises:
            DTypeError: if there is no image, or it holds no floating-point numbers.
            ShapeError: if it has another shape, or is empty.
            DeviceError: if it is not where the weights are.
        """
        augment = super().forward

        def edited(image: Tensor) -> Tensor:
            nonlocal params
            check_image(image[None] if image.ndim == 3 else image)
            result: Tensor = augment(image, params, **kwargs)
            params = self._params  # the images of a sample share one draw
            return result

        return map_images(inputs[0] if len(inputs) == 1 else inputs, edited)

    def generate_parameters(self, batch_shape: tuple[int, ...]) -> dict[str, Tensor]:
        """Return what is drawn for each picture: ``guide0`` is the number of the first step's guide, and so on.

        Args:
            batch_shape: of the images.
        """
        drawn: dict[str, Tensor] = super().generate_parameters(batch_shape)
        return {step.name: step.settled(drawn[step.name]) for step in self._drawn}

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],  # noqa: ARG002
        transform: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Return the images, of which those that were drawn are edited; pictures with the same draw share a batch."""
        drawn = {step.name: params[step.name].tolist() for step in self._drawn}
        alike: dict[tuple[float, ...], list[int]] = {}
        for row in (params["batch_prob"] > 0.5).nonzero().flatten().tolist():
            alike.setdefault(tuple(values[row] for values in drawn.values()), []).append(row)
        result = input.clone()
        for numbers, rows in alike.items():
            result[rows] = self._edited(input[rows], dict(zip(drawn, numbers, strict=True)))
        return result

    def _edited(self, images: Tensor, drawn: Mapping[str, float]) -> Tensor:
        """Return images edited by one draw."""
        steps = [step.told(drawn[step.name]) if isinstance(step, DrawnStep) else step for step in self.steps]
        op: nn.Module = Chain(list(zip(map(str, self.spec.steps), steps, strict=True)))
        if self.aligner is None:
            edited: Tensor = op(images)
        else:
            edited = Framed(op, self.aligner, self.which, self.views, missing="keep")(images)
        return edited

    def __repr__(self) -> str:
        """Show the steps and how they are drawn."""
        return f"RandomEdit({str(self.spec)!r}, p={self.p}, same_on_batch={self.same_on_batch})"


def _guarded(family: FamilySpec | None) -> GuardedAligner | None:
    """Return the aligner of a family that has one."""
    return None if family is None else GuardedAligner(family, aligner_of(family))


def _check_probability(p: object) -> None:
    if not (isinstance(p, int | float) and 0 <= p <= 1):
        raise ConfigurationError(f"expected p to be a number from 0 to 1, how likely a picture is edited, got {p!r}")


def _check_strength(strength: object) -> None:
    if strength is None:
        return
    match strength:
        case (int() | float() as least, int() | float() as most) if -1 <= least <= most <= 1:
            return
    raise ConfigurationError(
        f"expected strength to be the least and the most from -1 to 1, such as (-0.5, 0.5), got {strength!r}"
    )
