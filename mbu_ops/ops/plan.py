"""From the steps of a chain to modules: first which weights and guides each needs (no torch), then the building."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mbu_ops.errors import ConfigurationError, FamilyError, WeightsError
from mbu_ops.families import parse_attribute
from mbu_ops.families.names import did_you_mean
from mbu_ops.ops.step import GUIDED, METHOD_VERBS, StepSpec, is_weights_path

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mbu_ops.images import ImageFile
    from mbu_ops.ops.bound import Chain
    from mbu_ops.ops.step import OptionValue
    from mbu_ops.weights import Pretrained, WeightsInfo


@dataclass(frozen=True, slots=True, eq=False)
class StepPlan:
    """One step, with everything it needs found and checked.

    Attributes:
        step: the step.
        name: its weights, as ``family/attribute`` or a path.
        path: the weights file.
        info: what that file says of itself.
        sha256: the digest that the family promises, or None.
        content: name of what it edits; None with weights that are named by a path only.
        guides: none, one or (to interpolate) two of: a decoded picture, a tensor, the number of a default guide.
    """

    step: StepSpec
    name: str
    path: Path
    info: WeightsInfo
    sha256: str | None
    content: str | None
    guides: tuple[ImageFile | Tensor | int, ...]


def plan_steps(
    steps: Sequence[StepSpec],
    family: str,
    guides: Mapping[str, str | os.PathLike[str] | Tensor],
    method: str | None,
) -> tuple[StepPlan, ...]:
    """Find each step's weights and guides; see :meth:`mbu_ops.ops.chain.ChainSpec.plan`.

    Raises:
        MBUOpsError: if one cannot be found or does not fit.
    """
    names = [
        weights_name(f"{step.family}/{step.attribute}" if step.family else step.attribute, family) for step in steps
    ]
    given = {weights_name(attribute, family): guide for attribute, guide in guides.items()}
    served = {name for name, step in zip(names, steps, strict=True) if _wants_guide(step)}
    for name in given:
        if name not in served:
            raise ConfigurationError(
                f"a guide is given for {name!r}, but no step that lacks one uses it.{did_you_mean(name, served)}"
            )
    attributes = {name.rpartition("/")[2] for name in names if not is_weights_path(name)}
    return tuple(
        _plan_step(step, name, given.get(name), method, attributes) for step, name in zip(steps, names, strict=True)
    )


def weights_name(attribute: str, family: str) -> str:
    """Return the one name of an attribute's weights: ``family/attribute`` with aliases resolved, or the path.

    Raises:
        FamilyError: if the family or the attribute is unknown.

    Example:
        >>> weights_name("eyeglasses", "faces"), weights_name("./hats", "faces")
        ('faces/glasses', './hats')
    """
    if is_weights_path(attribute):
        return attribute
    try:
        found_family, found = parse_attribute(attribute, family)
    except FamilyError as error:
        if Path(attribute).exists():
            raise FamilyError(f"{error} To name the weights in that folder, write './{attribute}'.") from None
        raise
    return f"{found_family.name}/{found.name}"


def _wants_guide(step: StepSpec) -> bool:
    return step.verb in GUIDED and step.guide is None and "guide" not in dict(step.options)


def _plan_step(
    step: StepSpec,
    name: str,
    given: str | os.PathLike[str] | Tensor | None,
    method: str | None,
    attributes: Collection[str],
) -> StepPlan:
    from mbu_ops.weights import read_info, resolve

    options = dict(step.options)
    chosen = str(options["method"]) if "method" in options else method
    path, spec = resolve(name, method=chosen, verb=METHOD_VERBS[step.verb], beside=attributes)
    info = read_info(path)
    content = str(options["content"]) if "content" in options else name.rpartition("/")[2] if spec else None
    if content is not None and spec is not None and content not in spec.attributes:
        raise WeightsError(f"the weights {name!r} edit {' and '.join(spec.attributes)}, got content {content!r}")
    if chosen is not None and info.method != chosen:
        raise WeightsError(f"expected weights of the method {chosen!r} in {str(path)!r}, got {info.method!r}")
    sources: list[str | os.PathLike[str] | Tensor | float] = []
    if step.verb in GUIDED:
        first = given if given is not None and _wants_guide(step) else step.guide
        sources.append(first if first is not None else options.get("guide", 0))
    if step.verb == "interpolate":
        sources.append(options["to"])
    found = tuple(_guide(source, name, info) for source in sources)
    return StepPlan(step, name, path, info, spec.sha256 if spec else None, content, found)


def _guide(source: str | os.PathLike[str] | Tensor | float, name: str, info: WeightsInfo) -> ImageFile | Tensor | int:
    if isinstance(source, int | float):
        if not info.guides:
            raise WeightsError(
                f"the weights {name!r} hold no default guide; name a picture, as in add:{name}@guide.jpg"
            )
        if source >= info.guides:
            raise WeightsError(
                f"the weights {name!r} hold the default guides 0 to {info.guides - 1}, got guide {source}"
            )
        return int(source)
    if isinstance(source, str | os.PathLike):
        from mbu_ops.images import read

        return read(source)
    return source


def assemble(
    plans: Sequence[StepPlan],
    device: str | torch.device | None,
    dtype: torch.dtype | None,
    trainable: bool = False,
    compile: bool = False,
) -> Chain:
    """Load the weights, each file once, and build the chain's module; see :meth:`mbu_ops.ops.chain.ChainSpec.bind`."""
    from mbu_ops.ops.base import compile_verbs, fast_form
    from mbu_ops.ops.bound import Chain
    from mbu_ops.weights import load

    loaded: dict[Path, Pretrained] = {}
    for plan in plans:
        if plan.path not in loaded:
            pretrained = load(plan.path, sha256=plan.sha256, device=device, dtype=dtype)
            model = pretrained.model if trainable else fast_form(pretrained.model)
            if compile:
                compile_verbs(model)
            loaded[plan.path] = pretrained._replace(model=model)
    modules = [
        (" ".join(str(plan.step) for plan in together), _together(together, loaded[together[0].path]))
        for together in _passes(plans, loaded)
    ]
    return Chain(modules).eval()


def step_module(plan: StepPlan, pretrained: Pretrained) -> nn.Module:
    """Return the module that makes the edit of one step.

    Args:
        plan: the step.
        pretrained: all of what its weights file holds.

    Raises:
        MBUOpsError: if that cannot do it.
    """
    return _module(plan, pretrained.for_content(plan.content, plan.path))


def _passes(plans: Sequence[StepPlan], loaded: Mapping[Path, Pretrained]) -> Iterator[list[StepPlan]]:
    """Yield the steps that one pass of a network makes: several where a network of several contents serves them."""
    together: list[StepPlan] = []
    for plan in plans:
        contents = {other.content for other in together}
        if together and not (
            plan.path == together[0].path
            and getattr(loaded[plan.path].model, "contents", 1) > 1
            and all(_replaces(other) for other in (*together, plan))
            and plan.content not in contents
        ):
            yield together
            together = []
        together.append(plan)
    yield together


def _replaces(plan: StepPlan) -> bool:
    """Tell whether a step only replaces a code, and looks as usual."""
    return plan.step.verb in ("add", "remove") and not _look(plan)


def _look(plan: StepPlan) -> dict[str, OptionValue]:
    options = dict(plan.step.options)
    return {name: options[name] for name in ("threshold", "softness", "dilation", "detail") if name in options}


def _together(plans: Sequence[StepPlan], pretrained: Pretrained) -> nn.Module:
    """Return the module that makes the edits of one pass."""
    from mbu_ops.ops.redraw import Redraw

    if len(plans) == 1:
        return step_module(plans[0], pretrained)
    changes: dict[int, Tensor | None] = {}
    for plan in plans:
        content = pretrained.for_content(plan.content, plan.path)
        index = pretrained.info.attributes.index(str(plan.content))
        changes[index] = _code(content, plan.guides[0]) if plan.guides else None
    return Redraw(pretrained.model, changes)


def _module(plan: StepPlan, pretrained: Pretrained) -> nn.Module:
    from mbu_ops.ops.adjust import Adjust
    from mbu_ops.ops.base import Op
    from mbu_ops.ops.bound import Bound, GuidedOp
    from mbu_ops.ops.interpolate import Interpolate, mix
    from mbu_ops.ops.remove import Remove
    from mbu_ops.ops.segment import Segment
    from mbu_ops.ops.swap import Swap
    from mbu_ops.ops.transfer import Transfer
    from mbu_ops.ops.translate import Translate

    ops: dict[str, type[Op]] = {
        "add": Transfer,
        "remove": Remove,
        "swap": Swap,
        "segment": Segment,
        "interpolate": Interpolate,
        "translate": Translate,
        "adjust": Adjust,
    }
    options = dict(plan.step.options)
    op = ops[plan.step.verb](pretrained.model)
    for setting, value in _look(plan).items():
        setattr(op, setting, value)
    if isinstance(op, Adjust):
        return Bound(op, code=op.encode(float(options.get("strength", 1.0))))
    if not isinstance(op, GuidedOp):
        return op
    code, *second = (_code(pretrained, guide) for guide in plan.guides)
    return Bound(op, code=mix(code, second[0], float(options.get("amount", 0.5))) if second else code)


def _code(pretrained: Pretrained, guide: ImageFile | Tensor | int) -> Tensor:
    import torch

    from mbu_ops.images import ImageFile
    from mbu_ops.ops.base import to_frame

    model: Any = pretrained.model
    if isinstance(guide, int):
        assert pretrained.guides is not None  # noqa: S101  (the plan saw that the file holds them)
        return pretrained.guides[guide : guide + 1]
    if not getattr(model, "follows_guides", True):
        raise ConfigurationError(
            f"{pretrained.info.method} follows no guide: leave the picture out, or use another method"
        )
    image = guide.to_tensor()[None] if isinstance(guide, ImageFile) else guide
    with torch.no_grad():
        code: Tensor = model.encode_guide(to_frame(model, image.to(next(iter(model.parameters())).device), "guide"))
    return code
