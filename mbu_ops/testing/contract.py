"""What a family's plugin must keep to, as checks that each return what is wrong. Needs no pytest.

``mbu-ops families check NAME`` prints them; :class:`mbu_ops.testing.FamilyTester` is the same list as tests.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mbu_ops import images, weights
from mbu_ops.errors import ConfigurationError, ImageFileError, MBUOpsError
from mbu_ops.families import BrokenPlugin, FamilySpec, FrameSpec, SampleSpec
from mbu_ops.families.description import DESCRIPTION, described
from mbu_ops.families.discovery import FAMILIES, discover
from mbu_ops.families.registry import imported
from mbu_ops.methods import get_method

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mbu_ops.families.aligning import FrameLike

HEAVY = ("torch", "kornia", "accelerate")
"""What a family's module must not import: ``mbu-ops --help`` lists every family."""

SMALLEST_GUIDE = 16
"""Fewest pixels of a guide picture's side."""

ROUNDING = 1e-3
"""How far resizing may carry a mask out of [0, 1]."""


def check_import(family: FamilySpec) -> list[str]:
    """The entry point's module imports in a process of its own, and brings nothing heavy in."""
    target = next(plugin.target for plugin in discover(FAMILIES).plugins if plugin.name == family.name)
    module = target.partition(":")[0]
    # the last line is ours: a module may print while it is imported
    code = f"import sys, {module}; print(); print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # noqa: S603 - our own line
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended Python with status {done.returncode}"]
        return [f"importing {module} fails: {said[-1]}"]
    heavy = ", ".join(done.stdout.splitlines()[-1].split())
    return [f"importing {module} imports {heavy}: import it where it is needed"] if heavy else []


def check_description(family: FamilySpec) -> list[str]:
    """What the family's description says, if it has one, is what the entry point's module says."""
    plugin = next(plugin for plugin in discover(FAMILIES).plugins if plugin.name == family.name)
    try:
        written, found = described(plugin), imported(plugin)
    except ConfigurationError as error:
        return [str(error)]
    if written is None or found == written:
        return []
    if isinstance(found, BrokenPlugin):
        return [found.reason]
    other = [field.name for field in fields(found) if getattr(found, field.name) != getattr(written, field.name)]
    return [
        f"{DESCRIPTION} and {plugin.target} say different things of {', '.join(other)}: have the module read it "
        "(read_family), or write it anew (family_json)"
    ]


def check_attributes(family: FamilySpec) -> list[str]:
    """There is something to edit, and labels come for both sets or for neither."""
    problems = [] if family.attributes else ["the family has no attributes"]
    for attribute in family.attributes:
        if bool(attribute.with_rule) != bool(attribute.without_rule):
            problems.append(f"{attribute.name}: give with_rule and without_rule, or neither")
    return problems


def check_weights(family: FamilySpec) -> list[str]:
    """Every listed weights file is installed, sound, and what the list says; no verb of it needs a guide picture."""
    problems = []
    for spec in family.weights:
        name = f"{family.name}/{spec.attributes[0]}/{spec.id}"
        try:
            info = weights.verify(name)
        except MBUOpsError as error:
            problems.append(f"{name}: {error}")
            continue
        if unknown := sorted(set(spec.verbs) - get_method(info.method).info.verbs):
            problems.append(f"{name}: it lists verbs that {info.method} has not: {', '.join(unknown)}")
        guided = [verb for verb, count in _chain_verbs(spec.method, spec.verbs).items() if count]
        if guided and not weights.guide_count(info):
            problems.append(
                f"{name}: it holds no default guide codes and the family has no guides for it, so that {guided[0]} "
                "needs a guide"
            )
        if info.family != family.name:
            problems.append(f"{name}: the file says that it belongs to the family {info.family!r}")
    return problems


def check_samples(family: FamilySpec) -> list[str]:
    """Every sample picture is there, can be read, and its box lies inside it."""
    problems = []
    for sample in family.samples:
        try:
            height, width = images.read(io.BytesIO(sample.locate().read_bytes())).pixels.shape[:2]
        except (ImageFileError, OSError, ModuleNotFoundError) as error:
            problems.append(f"sample {sample.name}: {error}")
            continue
        if sample.box and not (sample.box[2] <= width and sample.box[3] <= height):
            problems.append(f"sample {sample.name}: its box {sample.box} reaches outside {width}x{height} pixels")
    return problems


def check_guides(family: FamilySpec) -> list[str]:
    """Every guide picture is there, can be read, and is large enough to see something on."""
    problems = []
    for guide in family.guides:
        try:
            picture = weights.read_guide(guide)
        except MBUOpsError as error:
            problems.append(str(error))
            continue
        if min(picture.height, picture.width) < SMALLEST_GUIDE:
            problems.append(
                f"guide {guide.attribute}/{guide.name}: expected at least {SMALLEST_GUIDE} pixels a side, got "
                f"{picture.width}x{picture.height}"
            )
        if picture.alpha is not None and not picture.alpha.any():
            problems.append(f"guide {guide.attribute}/{guide.name}: it is transparent all over")
    return problems


def check_aligner(family: FamilySpec) -> list[str]:
    """The aligner can be built, finds something in every sample, and nothing amiss where there is nothing to find."""
    import torch

    from mbu_ops.families.aligning import aligner
    from mbu_ops.frames.aligners import GuardedAligner

    if family.aligner is None:
        return []
    problems = []
    nothing = [torch.full((1, 3, height, width), 0.5) for height, width in ((64, 48), (1, 1))]
    try:
        guarded = GuardedAligner(family, aligner(family))
        for sample, photo in _photos(family):
            places = guarded.find(photo)
            if not places or any(place.cut(photo, 64).shape[:2] != (1, 3) for place in places):
                problems.append(f"sample {sample.name}: the aligner found {len(places)} places that can be cut out")
        for photo in nothing:
            guarded.find(photo)
    except MBUOpsError as error:
        problems.append(f"aligner: {error}")
    return problems


def check_frames(family: FamilySpec) -> list[str]:
    """Every frame can be cut out of what the aligner finds in each sample, or out of its box where there is none."""
    from mbu_ops.families.aligning import aligner
    from mbu_ops.frames.aligners import GuardedAligner
    from mbu_ops.frames.box import Box

    problems = []
    try:
        finder = None if family.aligner is None else GuardedAligner(family, aligner(family))
        for sample, photo in _photos(family):
            whole = Box(*(sample.box or (0, 0, photo.shape[-1], photo.shape[-2])))
            places: Sequence[FrameLike] = (whole,) if finder is None else finder.find(photo)
            for frame in family.frames:
                problems += [
                    f"sample {sample.name}: its frame {frame.name} cannot be cut out: {reason}"
                    for place in places
                    if (reason := _uncut(place, family.frame(frame.name), photo))
                ]
    except MBUOpsError:
        return []  # the check of the aligner says why
    return problems


def _photos(family: FamilySpec) -> Iterator[tuple[SampleSpec, Tensor]]:
    """Yield the samples that can be read; the check of samples names the others."""
    for sample in family.samples:
        try:
            photo = images.read(sample.locate().read_bytes()).to_tensor()[None]
        except (OSError, ModuleNotFoundError):
            continue
        yield sample, photo


def _uncut(place: FrameLike, frame: FrameSpec, photo: Tensor) -> str | None:
    """Return why a frame within a place cannot be cut out, or None if it can."""
    try:
        shape = tuple(place.part(frame).cut(photo, 64).shape)
    except MBUOpsError as error:
        return str(error)
    return None if len(shape) == 4 and shape[:2] == (1, 3) and max(shape[2:]) <= 64 else f"it has the shape {shape}"


def check_pictures(family: FamilySpec) -> list[str]:
    """What the family draws can be trained on, partitions do not begin alike, and derived masks fit their pictures."""
    import torch

    from mbu_ops.data.pairs import drawn_pairs
    from mbu_ops.families.planes import derived_masks

    problems = []
    for attribute in family.attributes:
        try:
            if family.pictures is not None:
                crowds = {
                    partition: list(drawn_pairs(family, attribute, partition, 4, 64))
                    for partition in ("train", "validation", "test")
                }
                seen = [{pair.without.tobytes() for pair in crowd} for crowd in crowds.values()]
                if len(set().union(*seen)) < sum(map(len, seen)):
                    problems.append(f"{attribute.name}: two of {', '.join(crowds)} draw the same picture")
                pairs = [pair for crowd in crowds.values() for pair in crowd]
                if not any((pair.with_ != pair.without).any() for pair in pairs):
                    problems.append(f"{attribute.name}: pictures with it and without it are the same")
                if not any(pair.mask.any() for pair in pairs):
                    problems.append(f"{attribute.name}: every drawn mask is empty")
            derived_masks(family, attribute, torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0)))
        except MBUOpsError as error:
            problems.append(f"{attribute.name}: {error}")
    return problems


def check_edits(family: FamilySpec) -> list[str]:
    """Each attribute takes every step that its weights can make: its own, and tiny random ones where it has none."""
    trained = {name for spec in family.weights for name in spec.attributes}
    problems = []
    with TemporaryDirectory() as folder:
        for spec in family.weights:
            names = {attribute: f"{family.name}/{attribute}/{spec.id}" for attribute in spec.attributes}
            problems += _try_weights(names, spec.method, spec.verbs)
        for attribute in family.attributes:
            if attribute.name not in trained:
                path = _tiny_weights(Path(folder), family, attribute.name)
                problems += _try_weights({attribute.name: path}, "mbu")
    return problems


def _chain_verbs(method: str, verbs: Collection[str] = ()) -> dict[str, int]:
    """Return the verbs of chains that ask one of these, or any, of a method, and how many guides each takes."""
    from mbu_ops.ops.verbs import verbs as all_verbs

    served = verbs or get_method(method).info.verbs
    return {verb.name: verb.guides for verb in all_verbs() if verb.call in served}


def _try_weights(names: Mapping[str, str], method: str, verbs: Collection[str] = ()) -> list[str]:
    """Make every step that one weights file serves on noise, and return what is wrong.

    Args:
        names: what a step calls the weights, for each attribute that they edit.
        method: the method that reads them.
        verbs: what they are listed with; all that the method can where that is nothing.
    """
    from mbu_ops.ops.chain import ChainSpec
    from mbu_ops.ops.method import fast_form
    from mbu_ops.ops.plan import step_module
    from mbu_ops.ops.step import StepSpec

    try:
        pretrained = weights.load_pretrained(next(iter(names.values())), whole=True)  # once for all its steps
        tried = _chain_verbs(method, verbs).items()
    except MBUOpsError as error:
        return [f"{', '.join(names)}: {error}"]
    pretrained = pretrained._replace(model=fast_form(pretrained.model))  # as chains do
    problems = []
    for attribute, name in names.items():
        for verb, guides in tried:
            count = weights.guide_count(pretrained.info)
            if guides and not count:
                continue  # the check of weights says so
            second = (("to", count - 1),) if guides == 2 else ()
            step = StepSpec(verb, None, name, options=(("content", attribute), *second))
            try:
                (plan,) = ChainSpec((step,)).plan()
                problems += _try_step(str(step), step_module(plan, pretrained))
            except MBUOpsError as error:
                problems.append(f"{step}: {error}")
    return problems


def _try_step(name: str, module: nn.Module) -> list[str]:
    """Make one step on noise, and return what is wrong with the result."""
    import torch

    from mbu_ops.ops.edit import edit_with

    image = torch.rand(2, 3, 40, 36, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if getattr(module, "makes_mask", False):
            mask = module(image)
            if mask.shape != (2, 1, 40, 36):
                return [f"{name}: the mask of (2, 3, 40, 36) has the shape {tuple(mask.shape)}"]
            within = bool((mask - mask.clamp(0, 1)).abs().max() < ROUNDING)  # false for NaN too
            return [] if within else [f"{name}: the mask leaves [0, 1]"]
        edit = edit_with(module, image)
    problems = []
    if not all(bool(part.isfinite().all()) for part in edit):
        problems.append(f"{name}: the result is not finite")
    outside = (edit.mask == 0).expand_as(image)
    if not torch.equal(edit.image[outside], image[outside]):
        problems.append(f"{name}: pixels outside the mask changed")
    return problems


def _tiny_weights(folder: Path, family: FamilySpec, attribute: str) -> str:
    import torch

    from mbu_ops.testing.tiny import tiny_mbu

    model = tiny_mbu()
    guides = model.encode_guide(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    info = weights.WeightsInfo(
        model.info.name, model.config_to_dict(model.config), model.config.resolution, family.name, (attribute,), "none"
    )
    path = folder / f"{attribute}.safetensors"
    weights.save(path, model, info, guides=guides.detach())
    return str(path)


CHECKS: dict[str, Callable[[FamilySpec], list[str]]] = {
    "import": check_import,
    "description": check_description,
    "attributes": check_attributes,
    "weights": check_weights,
    "samples": check_samples,
    "guides": check_guides,
    "aligner": check_aligner,
    "frames": check_frames,
    "pictures": check_pictures,
    "edits": check_edits,
}
"""Every check by name, the quick ones first."""
