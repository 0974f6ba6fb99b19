"""Steps of a chain of which something is drawn for each picture: the guide, or the strength of a dial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from torch import Tensor, nn

from mbu_ops.errors import ConfigurationError
from mbu_ops.frames.aligners import GuardedAligner, align_guides
from mbu_ops.ops.adjust import Adjust
from mbu_ops.ops.bound import Bound
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.ops.guides import GuideLike
from mbu_ops.ops.plan import (
    StepPlan,
    load_networks,
    name_of,
    plan_steps,
    step_module,
    wants_guide,
    weights_name,
)
from mbu_ops.weights import guide_count

Pool = Literal["random"] | Sequence[GuideLike]
"""Guides to draw from: all default guides, or the paths of pictures, pictures and numbers of default guides."""


class DrawnStep(nn.Module, ABC):
    """A step of a chain of which one number is drawn for each picture.

    Args:
        name: of the number.
        limits: least and most of it.
    """

    def __init__(self, name: str, limits: tuple[float, float]) -> None:
        super().__init__()
        self.name, self.limits = name, limits

    def settled(self, drawn: Tensor) -> Tensor:
        """Return drawn numbers, uniform between the limits, ``(B,)``, as they are used."""
        return drawn

    @abstractmethod
    def told(self, drawn: float) -> nn.Module:
        """Return the step as a module of one input.

        Args:
            drawn: the number.
        """


class DrawnGuide(DrawnStep):
    """A step whose guide is drawn, by its number.

    Args:
        number: of the step.
        bound: the step with each guide. They share their network, and only their guides are kept.
    """

    def __init__(self, number: int, bound: Sequence[Bound]) -> None:
        super().__init__(f"guide{number}", (0.0, float(len(bound))))
        self.op = bound[0].op
        self.yaws = tuple(step.yaw for step in bound)
        for index, step in enumerate(bound):
            self.register_buffer(f"code{index}", step.code, persistent=False)
            self.register_buffer(f"picture{index}", step.picture, persistent=False)

    def settled(self, drawn: Tensor) -> Tensor:
        """Return whole numbers, ``(B,)``."""
        return drawn.long().clamp(max=len(self.yaws) - 1)  # half precision may have rounded up

    def told(self, drawn: float) -> Bound:
        """Return the step with the guide of that number."""
        index = int(drawn)
        step = Bound(self.op, code=getattr(self, f"code{index}"))
        if (picture := getattr(self, f"picture{index}")) is not None:
            step.show(picture, self.yaws[index])
        return step


class DrawnStrength(DrawnStep):
    """A dial whose strength is drawn.

    Args:
        number: of the step.
        op: the dial.
        limits: least and most strength.
    """

    def __init__(self, number: int, op: Adjust, limits: tuple[float, float]) -> None:
        super().__init__(f"strength{number}", limits)
        self.op = op

    def told(self, drawn: float) -> Bound:
        """Return the dial at that strength."""
        return Bound(self.op, code=self.op.encode(drawn))


def plan_draws(
    spec: ChainSpec, family: str, method: str | None, guides: Pool | Mapping[str, Pool]
) -> list[list[StepPlan]]:
    """Return each step of a chain once for every guide that may be drawn.

    Args:
        spec: the chain.
        family: family of the steps that name none.
        method: method of the steps that name none.
        guides: what is drawn from for the steps that take a guide and name none; by attribute, or for all of them.

    Raises:
        ConfigurationError: if guides are given that no step uses, or pictures that several steps might use.
        MBUOpsError: see :meth:`mbu_ops.ops.chain.ChainSpec.plan`.
    """
    wanting = {name_of(step, family) for step in spec.steps if wants_guide(step)}
    if not isinstance(guides, Mapping):
        if guides != "random" and len(wanting) != 1:
            raise ConfigurationError(
                f"expected guides by attribute, such as guides={{'glasses': [...]}}, got a list for "
                f"{len(wanting)} attributes whose steps take a guide and name none"
            )
        guides = dict.fromkeys(wanting, guides)
    pools: dict[str, Pool] = dict.fromkeys(wanting, "random")
    pools |= {weights_name(attribute, family): _checked(pool) for attribute, pool in guides.items()}
    first = {name: 0 if pool == "random" else pool[0] for name, pool in pools.items()}
    return [
        list(_with_guides(plan, pools[plan.name])) if wants_guide(plan.step) else [plan]
        for plan in plan_steps(spec.steps, family, first, method)
    ]


def load_steps(
    plans: Sequence[Sequence[StepPlan]], strength: tuple[float, float] | None, aligner: GuardedAligner | None
) -> list[nn.Module]:
    """Load the weights and build the steps of a chain: modules of one input, and those of which something is drawn.

    Args:
        plans: as :func:`plan_draws` returns them.
        strength: least and most of the dials that name no strength; None leaves them as they are.
        aligner: finds in guide pictures what the steps edit; None takes the pictures for cut already.

    Raises:
        ConfigurationError: if there is a range of strengths and no dial to turn, or a step keeps no guide.
        MBUOpsError: see :meth:`mbu_ops.ops.chain.ChainSpec.bind`.
    """
    if aligner is not None:
        plans = [align_guides(step, aligner) for step in plans]
    loaded = load_networks([plan for step in plans for plan in step])
    modules = [
        _drawn(number, [step_module(plan, loaded[plan.path]) for plan in step], step[0], strength)
        for number, step in enumerate(plans)
    ]
    if strength is not None and not any(isinstance(module, DrawnStrength) for module in modules):
        raise ConfigurationError(
            f"expected a step such as adjust:smile, which names no strength, to draw one from {strength}, got "
            f"{' '.join(str(step[0].step) for step in plans)}"
        )
    return modules


def _drawn(
    number: int, modules: Sequence[nn.Module], plan: StepPlan, strength: tuple[float, float] | None
) -> nn.Module:
    """Return a step, of which there is a module for each of its guides."""
    step = modules[0]
    if len(modules) > 1:
        bound = [module for module in modules if isinstance(module, Bound)]
        if len(bound) < len(modules):
            raise ConfigurationError(
                f"expected the op of {str(plan.step)!r} to be bound to a guide, got {type(step).__name__}: name the "
                "guide in the step"
            )
        return DrawnGuide(number, bound)
    if (
        strength is not None
        and isinstance(step, Bound)
        and isinstance(step.op, Adjust)
        and "strength" not in plan.own_options
    ):
        return DrawnStrength(number, step.op, strength)
    return step


def _checked(pool: Pool) -> Pool:
    if pool != "random" and (isinstance(pool, str) or not isinstance(pool, Sequence) or not pool):
        raise ConfigurationError(
            "expected guides to be 'random' (the default guides) or a list of paths, pictures (1, 3, H, W) in [0, 1] "
            f"and numbers of default guides, got {pool!r}"
        )
    return pool


def _with_guides(plan: StepPlan, pool: Pool) -> Iterator[StepPlan]:
    for guide in range(guide_count(plan.info)) if pool == "random" else pool:
        yield plan.with_guide(guide)
