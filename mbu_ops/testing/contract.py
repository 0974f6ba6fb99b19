"""What a family's plugin must keep to, as checks that each return what is wrong. Needs no pytest.

``mbu-ops families check NAME`` prints them; :class:`mbu_ops.testing.FamilyTester` is the same list as tests.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from mbu_ops import images, weights
from mbu_ops.errors import ImageFileError, MBUOpsError
from mbu_ops.families import FamilySpec
from mbu_ops.families.discovery import FAMILIES, discover
from mbu_ops.families.registry import plugin_code

HEAVY = ("torch", "kornia", "accelerate")
"""What a family's module must not import: ``mbu-ops --help`` lists every family."""


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


def check_attributes(family: FamilySpec) -> list[str]:
    """There is something to edit, and labels come for both sets or for neither."""
    problems = [] if family.attributes else ["the family has no attributes"]
    for attribute in family.attributes:
        if bool(attribute.with_rule) != bool(attribute.without_rule):
            problems.append(f"{attribute.name}: give with_rule and without_rule, or neither")
    return problems


def check_weights(family: FamilySpec) -> list[str]:
    """Every listed weights file is installed, sound, and what the list says; adding works without a guide."""
    problems = []
    for spec in family.weights:
        name = f"{family.name}/{spec.attributes[0]}/{spec.id}"
        try:
            info = weights.verify(name)
        except MBUOpsError as error:
            problems.append(f"{name}: {error}")
            continue
        if not info.guides:
            problems.append(f"{name}: it holds no default guide codes, so that add needs a guide")
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


def check_aligner(family: FamilySpec) -> list[str]:
    """The aligner can be built, finds something in every sample picture, and nothing that cannot be cut out of it."""
    from mbu_ops.frames.aligners import aligner

    if family.aligner is None:
        return []
    problems = []
    try:
        found = aligner(family)
        for sample in family.samples:
            photo = images.read(io.BytesIO(sample.locate().read_bytes())).to_tensor()[None]
            with plugin_code(family, f"finding places in the sample {sample.name}"):
                places = found.find(photo)
                shapes = [place.cut(photo, 64).shape[:2] for place in places]
            if not places or any(shape != (1, 3) for shape in shapes):
                problems.append(f"sample {sample.name}: the aligner found {len(places)} places that can be cut out")
    except (MBUOpsError, OSError, ModuleNotFoundError) as error:
        problems.append(f"aligner: {error}")
    return problems


def check_pictures(family: FamilySpec) -> list[str]:
    """What the family draws can be trained on, partitions do not begin alike, and derived masks fit their pictures."""
    import torch

    from mbu_ops.data.pairs import derived_masks, drawn_pairs

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
    """Every attribute can be removed, added and segmented: with its own weights, or with tiny random ones."""
    import torch

    from mbu_ops.ops.chain import ChainSpec

    image = torch.rand(2, 3, 40, 36, generator=torch.Generator().manual_seed(0))
    problems = []
    with TemporaryDirectory() as folder:
        for attribute in family.attributes:
            trained = any(attribute.name in spec.attributes for spec in family.weights)
            where = (
                f"{family.name}/{attribute.name}" if trained else _tiny_weights(Path(folder), family, attribute.name)
            )
            try:
                chain = ChainSpec.parse([f"remove:{where}", f"add:{where}", f"segment:{where}"]).bind()
                with torch.no_grad():
                    edits = chain.edits(image)
            except MBUOpsError as error:
                problems.append(f"{attribute.name}: {error}")
                continue
            before = image
            for name, edit in zip(chain.names, edits, strict=True):
                outside = (edit.mask == 0).expand_as(before)
                if not all(bool(part.isfinite().all()) for part in edit):
                    problems.append(f"{name}: the result is not finite")
                if not torch.equal(edit.image[outside], before[outside]):
                    problems.append(f"{name}: pixels outside the mask changed")
                before = edit.image
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
    "attributes": check_attributes,
    "weights": check_weights,
    "samples": check_samples,
    "aligner": check_aligner,
    "pictures": check_pictures,
    "edits": check_edits,
}
"""Every check by name, the quick ones first."""
