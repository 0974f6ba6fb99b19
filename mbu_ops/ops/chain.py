"""Chains: several edits in one line of text. ``remove:smile add:glasses@ref.jpg`` -> ChainSpec -> module.

The specification is plain data and imports no torch; :meth:`ChainSpec.bind` loads weights and builds the module.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbu_ops.errors import ChainSyntaxError
from mbu_ops.ops.options import OptionValue
from mbu_ops.ops.plan import StepPlan, assemble, plan_steps
from mbu_ops.ops.step import StepSpec
from mbu_ops.ops.verbs import get_verb

if TYPE_CHECKING:
    import torch

    from mbu_ops.ops.bound import Chain
    from mbu_ops.ops.guides import GuideLike

JSON_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """Edits in the order they are made.

    Attributes:
        steps: at least one; a verb that turns an image into a mask, such as ``segment``, only as the last.

    Raises:
        ChainSyntaxError: if there is no step, or one follows a verb that makes a mask.

    Example:
        >>> spec = ChainSpec.parse("remove:smile add:glasses@ref.jpg")
        >>> [step.verb for step in spec.steps]
        ['remove', 'add']
        >>> ChainSpec.from_json(spec.to_json()) == spec
        True
    """

    steps: tuple[StepSpec, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        if not self.steps:
            raise ChainSyntaxError("expected at least one step, as in remove:smile, got none")
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if get_verb(before.verb).makes_mask:
                text = str(self)
                position = len(shlex.join(map(str, self.steps[: self.steps.index(after)]))) + 1
                raise ChainSyntaxError(
                    f"{str(before)!r} makes a mask, and '{after.verb}:' needs an image: put {before.verb} last, or in "
                    f"a chain of its own\n  {text}\n  {' ' * position}^"
                )

    @property
    def makes_mask(self) -> bool:
        """Whether the result is a mask."""
        return get_verb(self.steps[-1].verb).makes_mask

    @classmethod
    def parse(cls, text: str | Sequence[str]) -> ChainSpec:
        """Read a chain.

        Args:
            text: steps separated by spaces (quote a step that holds spaces as a shell would), or one step an entry.

        Raises:
            ChainSyntaxError: if a step does not follow the grammar.

        Example:
            >>> ChainSpec.parse("add:glasses@'my ref.jpg'").steps[0].guide
            'my ref.jpg'
        """
        if isinstance(text, str):
            try:
                text = shlex.split(text)
            except ValueError as error:
                raise ChainSyntaxError(f"expected steps separated by spaces, got {text!r} ({error})") from None
        return cls(tuple(StepSpec.parse(step) for step in text))

    @property
    def guide_paths(self) -> tuple[str, ...]:
        """The pictures that steps name as guides.

        Example:
            >>> ChainSpec.parse("interpolate:glasses@a.jpg,to=b.jpg add:smile").guide_paths
            ('a.jpg', 'b.jpg')
        """
        named = (guide for step in self.steps for guide in (step.guide, dict(step.options).get("to")))
        return tuple(guide for guide in named if isinstance(guide, str))

    def __str__(self) -> str:
        return shlex.join(map(str, self.steps))

    def to_json(self) -> str:
        """Return the chain as JSON text; see :meth:`from_json`."""
        steps = [
            {
                "verb": step.verb,
                "family": step.family,
                "attribute": step.attribute,
                "guide": step.guide,
                "options": dict(step.options),
            }
            for step in self.steps
        ]
        return json.dumps({"version": JSON_VERSION, "steps": steps})

    @classmethod
    def from_json(cls, text: str) -> ChainSpec:
        """Read what :meth:`to_json` wrote.

        Raises:
            ChainSyntaxError: if it is not that.
        """
        try:
            data = json.loads(text)
            if data["version"] != JSON_VERSION:
                raise ValueError(f"version {data['version']!r}")
            return cls(tuple(_step(**step) for step in data["steps"]))
        except ChainSyntaxError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ChainSyntaxError(
                f'expected JSON like {{"version": {JSON_VERSION}, "steps": [...]}} from ChainSpec.to_json, got '
                f"{text[:80]!r} ({type(error).__name__}: {error})"
            ) from None

    def plan(
        self,
        family: str = "faces",
        guides: Mapping[str, GuideLike] | None = None,
        method: str | None = None,
    ) -> tuple[StepPlan, ...]:
        """Find each step's weights and guides and check that they fit, without importing torch.

        Args:
            family: family of the steps that name none.
            guides: attribute to guide, for steps that name none: a path, a PIL image, an array ``(H, W, 3)`` of uint8,
                a tensor ``(1, 3, H, W)`` in [0, 1], or the number of a default guide. Pictures show the family's first
                frame already.
            method: method of the steps that name none; None takes the family's first weights.

        Raises:
            FamilyError: for an unknown family or attribute.
            WeightsError: if the weights are missing or damaged, or hold no such default guide.
            ImageFileError: if a guide is missing or no image.
            ConfigurationError: if a guide is given that no step uses.
        """
        return plan_steps(self.steps, family, guides or {}, method)

    def bind(
        self,
        family: str = "faces",
        guides: Mapping[str, GuideLike] | None = None,
        method: str | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        trainable: bool = False,
        compile: bool = False,
    ) -> Chain:
        """Load the weights and build the module that makes the edits; steps on the same weights share them.

        Args:
            family: see :meth:`plan`.
            guides: see :meth:`plan`.
            method: see :meth:`plan`.
            device: where to put the networks; CPU by default.
            dtype: floating-point type of the networks; float32 by default.
            trainable: keep the networks as they were trained, so that gradients reach their weights, and ``.train()``
                the statistics of batch norm. Otherwise they are frozen, and those that have a fast form take it (same
                pictures, batch norm folded).
            compile: whether to compile each network's verbs by :func:`torch.compile` when they are first used. That
                takes from 10 s to minutes and a C++ compiler (or a GPU), and gained nothing on the CPU where it was
                timed (docs/performance.md).

        Returns:
            A module of one input, ``(B, 3, H, W)`` RGB in [0, 1], whose output is the edited image, or the mask
            ``(B, 1, H, W)`` if the last step makes one. Its ``edits`` gives every step's result.

        Raises:
            MBUOpsError: as :meth:`plan`.
            UnsupportedVerbError: if a step's method cannot do its verb.
        """
        return assemble(self.plan(family, guides, method), device, dtype, trainable, compile)


def chain(
    steps: str | Sequence[str],
    family: str = "faces",
    guides: Mapping[str, GuideLike] | None = None,
    method: str | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    trainable: bool = False,
    compile: bool = False,
) -> Chain:
    """Build a module from the text of a chain: ``mbu_ops.chain("remove:smile add:glasses@ref.jpg")``.

    Args:
        steps: see :meth:`ChainSpec.parse`.
        family: family of the steps that name none.
        guides: attribute to guide, for steps that name none; see :meth:`ChainSpec.plan`.
        method: method of the steps that name none.
        device: where to put the networks; CPU by default.
        dtype: floating-point type of the networks; float32 by default.
        trainable: whether gradients should reach the weights; see :meth:`ChainSpec.bind`.
        compile: see :meth:`ChainSpec.bind`.

    Returns:
        See :meth:`ChainSpec.bind`.

    Raises:
        MBUOpsError: see :meth:`ChainSpec.bind`.
    """
    return ChainSpec.parse(steps).bind(family, guides, method, device, dtype, trainable, compile)


def _step(
    verb: str, family: str | None, attribute: str, guide: str | None, options: dict[str, OptionValue]
) -> StepSpec:
    return StepSpec(verb, family, attribute, guide, tuple(options.items()))
