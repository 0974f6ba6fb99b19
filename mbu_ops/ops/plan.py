"""From the steps of a chain to modules: first which weights and guides each needs (no torch), then the building."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mbu_ops.errors import ConfigurationError, FamilyError, UnsupportedVerbError, WeightsError
from mbu_ops.families import discovery, parse_attribute
from mbu_ops.families.choice import weights_for
from mbu_ops.families.discovery import BrokenPlugin, Plugin
from mbu_ops.families.names import did_you_mean
from mbu_ops.ops.guides import Guide, InFrame, cut_out, encode_picture, find_guide
from mbu_ops.ops.options import PRESENCE
from mbu_ops.ops.step import StepSpec, is_weights_path
from mbu_ops.ops.verbs import Verb, first_weights, get_verb, grammar_words

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from mbu_ops.ops.base import Op
    from mbu_ops.ops.bound import Bound, Chain
    from mbu_ops.ops.guides import GuideLike
    from mbu_ops.ops.options import OptionValue
    from mbu_ops.weights import Pretrained, WeightsInfo


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class StepPlan:
    """One step, with everything it needs found and checked.

    Attributes:
        step: the step.
        name: its weights, as ``family/attribute``, a path, or a name on the Hub with a commit's hash.
        path: the weights file.
        info: what that file says of itself.
        sha256: the digest that the family promises, or None.
        content: name of what it edits; None with weights that are named by a path only.
        guides: as many as the verb takes, each a decoded picture or a tensor of a family's first frame, what shows the
            step's own frame, or the number of a default guide.
    """

    step: StepSpec
    name: str
    path: Path
    info: WeightsInfo
    sha256: str | None
    content: str | None
    guides: tuple[Guide, ...]

    @property
    def verb(self) -> Verb:
        """The record of the step's verb."""
        return get_verb(self.step.verb)

    @property
    def own_options(self) -> dict[str, OptionValue]:
        """The step's options that are its verb's own."""
        own = {option.name for option in self.verb.options}
        return {name: value for name, value in self.step.options if name in own}

    def with_guide(self, source: GuideLike) -> StepPlan:
        """Return the step with another guide in place of its first.

        Args:
            source: the path of a picture, a picture, or the number of a default guide.

        Raises:
            WeightsError: if the weights hold no default guide of that number.
            ImageFileError: if the picture is missing or no image.
        """
        found = find_guide(source, self.info, self.name, f"{self.step.verb}:{self.name}@guide.jpg")
        return replace(self, guides=(found, *self.guides[1:]))


def plan_steps(
    steps: Sequence[StepSpec],
    family: str,
    guides: Mapping[str, GuideLike],
    method: str | None,
) -> tuple[StepPlan, ...]:
    """Find each step's weights and guides; see :meth:`mbu_ops.ops.chain.ChainSpec.plan`.

    Raises:
        MBUOpsError: if one cannot be found or does not fit.
    """
    names = [name_of(step, family) for step in steps]
    given = {weights_name(attribute, family): guide for attribute, guide in guides.items()}
    served = {name for name, step in zip(names, steps, strict=True) if wants_guide(step)}
    for name in given:
        if name not in served:
            raise ConfigurationError(
                f"a guide is given for {name!r}, but no step that lacks one uses it.{did_you_mean(name, served)}"
            )
    attributes = {name.split("/")[1] for name in names if not is_weights_path(name)}
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


def name_of(step: StepSpec, family: str) -> str:
    """Return the name of a step's weights; errors as of :func:`weights_name`."""
    return weights_name(f"{step.family}/{step.attribute}" if step.family else step.attribute, family)


def wants_guide(step: StepSpec) -> bool:
    """Return whether a step takes a guide and names none."""
    return get_verb(step.verb).guides > 0 and step.guide is None and "guide" not in dict(step.options)


def _plan_step(
    step: StepSpec,
    name: str,
    given: GuideLike | None,
    method: str | None,
    attributes: Collection[str],
) -> StepPlan:
    from mbu_ops.weights import pin, read_info, resolve

    if (pinned := pin(name)) != name:  # what is shown and recorded of the step names the very commit
        step, name = replace(step, attribute=pinned), pinned
    verb, options = get_verb(step.verb), dict(step.options)
    chosen = str(options["method"]) if "method" in options else method
    guided = verb.guides == 2 or (verb.guides == 1 and (given is not None or not wants_guide(step)))
    if not is_weights_path(name):
        _check_can(name, verb)
    path, spec = resolve(name, method=chosen, verb=verb.call, beside=attributes, word=verb.name, guided=guided)
    info = read_info(path)
    _log.debug("%s takes %s (%s)", step, path, info.method)
    # of family/attribute or family/attribute/id
    content = str(options["content"]) if "content" in options else name.split("/")[1] if spec else None
    if content is not None and spec is not None and content not in spec.attributes:
        raise WeightsError(f"the weights {name!r} edit {' and '.join(spec.attributes)}, got content {content!r}")
    if chosen is not None and info.method != chosen:
        raise WeightsError(f"expected weights of the method {chosen!r} in {str(path)!r}, got {info.method!r}")
    if options.get(PRESENCE.name) and info.presence is None:
        raise WeightsError(
            f"the weights {name!r} cannot say whether there is something to do, and always edit: leave presence out"
        )
    sources: list[GuideLike | float] = []
    if verb.guides:
        first = given if given is not None and wants_guide(step) else step.guide
        sources.append(first if first is not None else options.get("guide", 0))
    if verb.guides == 2:
        sources.append(options["to"])
    found = tuple(find_guide(source, info, name, f"{step.verb}:{name}@guide.jpg") for source in sources)
    return StepPlan(step, name, path, info, spec.sha256 if spec else None, content, found)


def _check_can(name: str, verb: Verb) -> None:
    """Make sure that a family's attribute has weights for a verb, as far as their list says which they serve.

    Raises:
        WeightsError: if not; it says what they can do in the words of the grammar.
    """
    family, attribute = parse_attribute(name)
    if weights_for(family, attribute.name, verb=verb.call):
        return
    if words := list(first_weights(family, attribute.name)):
        raise WeightsError(
            f"there are no weights for {name} that can {verb.name}; they can {', '.join(words)}, as in "
            f"{words[0]}:{name}. Train some with mbu-ops train, then name their folder"
        )


def assemble(
    plans: Sequence[StepPlan],
    device: str | torch.device | None,
    dtype: torch.dtype | None,
    trainable: bool = False,
    compile: bool = False,
) -> Chain:
    """Load the weights, each file once, and build the chain's module; see :meth:`mbu_ops.ops.chain.ChainSpec.bind`."""
    from mbu_ops.ops.bound import Chain

    loaded = load_networks(plans, device, dtype, trainable, compile)
    modules = [
        (" ".join(str(plan.step) for plan in together), _together(together, loaded[together[0].path]))
        for together in _passes(plans, loaded)
    ]
    return Chain(modules).eval()


def load_networks(
    plans: Sequence[StepPlan],
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    trainable: bool = False,
    compile: bool = False,
) -> dict[Path, Pretrained]:
    """Load the weights that steps need, each file once; arguments as of :meth:`mbu_ops.ops.chain.ChainSpec.bind`."""
    from mbu_ops.ops.method import compile_verbs, fast_form
    from mbu_ops.weights import load

    loaded: dict[Path, Pretrained] = {}
    for plan in plans:
        if plan.path not in loaded:
            pretrained = load(plan.path, sha256=plan.sha256, device=device, dtype=dtype, trainable=trainable)
            model = pretrained.model if trainable else fast_form(pretrained.model)
            if compile:
                compile_verbs(model, {other.verb.call for other in plans if other.path == plan.path})
            loaded[plan.path] = pretrained.in_form(model)
    return loaded


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
    from mbu_ops.ops.redraw import Redraw

    together: list[StepPlan] = []
    for plan in plans:
        contents = {other.content for other in together}
        model: Any = loaded[plan.path].model
        if together and not (
            plan.path == together[0].path
            and model.contents > 1
            and Redraw.verb in model.info.verbs
            and all(other.verb.joins and not other.own_options for other in (*together, plan))
            and plan.content not in contents
        ):
            yield together
            together = []
        together.append(plan)
    yield together


def _together(plans: Sequence[StepPlan], pretrained: Pretrained) -> nn.Module:
    """Return the module that makes the edits of one pass."""
    from mbu_ops.ops.redraw import Redraw

    if len(plans) == 1:
        return step_module(plans[0], pretrained)
    changes: dict[int, Tensor | None] = {}
    for plan in plans:
        content = pretrained.for_content(plan.content, plan.path)
        index = pretrained.info.attributes.index(str(plan.content))
        changes[index] = _code(content, plan, 0) if plan.guides else None
    return _knowing(Redraw(pretrained.model, changes), pretrained)


def _module(plan: StepPlan, pretrained: Pretrained) -> nn.Module:
    model: Any = pretrained.model
    if plan.verb.call not in model.info.verbs:
        raise UnsupportedVerbError(
            f"expected a method that can {plan.verb.name}, got {model.info.name}, which can "
            f"{', '.join(grammar_words(model.info.verbs))}"
        )
    codes = [_code(pretrained, plan, number) for number in range(len(plan.guides))]
    module = op_class(plan.verb).for_step(model, plan.own_options, codes)
    if model.info.takes_pixels and len(codes) == 1 and (picture := _picture(pretrained, plan.guides[0])) is not None:
        guide = plan.guides[0]
        cast("Bound", module).show(picture, guide.yaw if isinstance(guide, InFrame) else 0.0)
    return _knowing(module, pretrained)


def _knowing(module: nn.Module, pretrained: Pretrained) -> nn.Module:
    """Tell the op of a step what its weights say beside their networks."""
    from mbu_ops.ops.base import Op

    for op in module.modules():
        if isinstance(op, Op):
            op.know(pretrained)
    return module


def op_class(verb: Verb) -> type[Op]:
    """Import the op that does a verb.

    Raises:
        ConfigurationError: if it cannot be imported, is no op, or is another verb's.

    Example:
        >>> op_class(get_verb("add")).__name__
        'Transfer'
    """
    from mbu_ops.ops.base import Op

    found = discovery.load(Plugin(verb.name, verb.op, verb.name))
    if isinstance(found, BrokenPlugin):
        raise ConfigurationError(f"verb {verb.name!r}: its op {verb.op!r} cannot be used: {found.reason}")
    if not (isinstance(found, type) and issubclass(found, Op)):
        raise ConfigurationError(f"verb {verb.name!r}: expected {verb.op!r} to be a subclass of mbu_ops.ops.Op")
    does, says = (getattr(found, "verb", None), found.makes_mask), (verb.call, verb.makes_mask)
    if does != says:
        raise ConfigurationError(
            f"verb {verb.name!r}: expected {verb.op!r} with (verb, makes_mask) = {says}, as its record says, got "
            f"{does}; change one of them"
        )
    return found


def _code(pretrained: Pretrained, plan: StepPlan, number: int) -> Tensor:
    """Return the code of one of a step's guides."""
    guide = plan.guides[number]
    picture = _picture(pretrained, guide)
    if picture is None:
        assert pretrained.guides is not None  # noqa: S101  (the plan saw that there is one)
        assert isinstance(guide, int)  # noqa: S101  (all else has a picture)
        return pretrained.guides[guide : guide + 1]
    model: Any = pretrained.model
    return encode_picture(model, picture, None if isinstance(guide, int) else pretrained.presence, str(plan.step))


def _picture(pretrained: Pretrained, guide: Guide) -> Tensor | None:
    """Return a guide in the weights' frame, ``(1, 3 or 4, h, w)``, where they are; None for a code that they hold."""
    from mbu_ops.images import ImageFile
    from mbu_ops.ops.method import Sight
    from mbu_ops.weights import default_guide, pixels_of

    model: Any = pretrained.model
    as_it_is = not isinstance(guide, int | ImageFile | InFrame)
    if isinstance(guide, int):
        if pretrained.guides is not None:
            return None
        guide = InFrame(default_guide(pretrained.info, guide, model.info.takes_pixels))
    elif isinstance(guide, ImageFile):
        guide = pixels_of(guide, model.info.takes_pixels)
    pixels = guide.pixels if isinstance(guide, InFrame) else guide
    if not isinstance(guide, InFrame) and pixels.shape[1] != 4:  # a thing alone fills the frame
        pixels = Sight.of(model, pixels, pretrained.frame).cut(pixels)
    weight = next(iter(model.parameters()))
    return (pixels if as_it_is else cut_out(pixels, pretrained.info)).to(weight.device)
