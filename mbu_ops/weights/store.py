"""From the name of weights to a file: a path, a packaged file, one in the user's own store, or one on a hub.

Nothing is downloaded but what is named ``hf://...``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mbu_ops.errors import FamilyError, WeightsError
from mbu_ops.families import FamilySpec, WeightSpec, get_attribute, get_family, weights_for
from mbu_ops.families.names import did_you_mean
from mbu_ops.files import sha256_of
from mbu_ops.foreign import one_line
from mbu_ops.weights.card import read_card
from mbu_ops.weights.file import TRAINED, Pretrained, WeightsInfo, load, read_info
from mbu_ops.weights.hub import fetch, is_hub_name

if TYPE_CHECKING:
    from collections.abc import Collection

    import torch

HOME = "MBU_OPS_HOME"
"""Environment variable that names the user's own store, ``~/.cache/mbu-ops`` by default."""


def resolve(
    name_or_path: str | os.PathLike[str],
    *,
    method: str | None = None,
    verb: str | None = None,
    beside: Collection[str] = (),
    word: str | None = None,
    guided: bool = False,
) -> tuple[Path, WeightSpec | None]:
    """Find a weights file; reads none and imports no torch.

    Args:
        name_or_path: a file, the folder that training wrote, ``family/attribute`` or ``family/attribute/id``, or
            ``hf://user/repo[/file.safetensors][:revision]``, which is downloaded (:func:`mbu_ops.weights.hub.fetch`).
        method: of a family's weights, take those of this method.
        verb: of a family's weights, take those that serve this verb, as far as their list says which they serve.
        beside: attributes that are edited too: of one method's weights, take those that edit most of them.
        word: what whoever asks calls the verb, for errors; the same by default.
        guided: whether a guide is named: of a family's weights, take those that follow guides, if there are any.

    Returns:
        The file, and what its family promises of it (None for a path).

    Raises:
        FamilyError: if there is no such family or attribute.
        WeightsError: if there is no such file, or the family has no such weights.
    """
    if is_hub_name(name_or_path):
        return fetch(name_or_path)[0], None
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path, None
    if (path / TRAINED).is_file():
        return path / TRAINED, None
    text = os.fspath(name_or_path)
    if not isinstance(name_or_path, str) or text.startswith((".", "/", "~")) or "\\" in text or path.suffix:
        what = f"the folder holds no {TRAINED}" if path.is_dir() else "there is no such file or folder"
        raise WeightsError(f"{text}: {what}; expected weights that mbu-ops trained or converted")
    try:
        return _of_family(text, method, verb, beside, word or verb, guided)
    except FamilyError as error:
        if path.is_dir():  # a folder that is named like a family's weights was meant, if no family is
            raise WeightsError(
                f"{text}: the folder holds no {TRAINED}; expected weights that mbu-ops trained or converted (a run "
                "writes them when it ends or is stopped)"
            ) from error
        raise


def locate(family: FamilySpec, spec: WeightSpec) -> Path | None:
    """Return where a family's weights are installed: in their package, else in the user's own store.

    Args:
        family: the family.
        spec: weights of it.

    Returns:
        The file; None if it is in neither place.
    """
    places = [_home(family, spec)]
    with contextlib.suppress(Exception):  # the package with the weights may be missing, or as broken as it likes
        places.insert(0, Path(str(spec.locate())))
    return next((place for place in places if place.is_file()), None)


def flaw(family: FamilySpec, spec: WeightSpec) -> str | None:
    """Return what is wrong with a family's weights as far as can be told without torch, in one line; None if nothing.

    The file must be installed, be the very one that the family promises, trained on the frame that the family says,
    and have a sound header. Whether its tensors fit the network is for :func:`verify`.

    Args:
        family: the family.
        spec: weights of it.

    Example:
        >>> faces = get_family("faces")
        >>> [flaw(faces, spec) for spec in faces.weights if spec.attributes == ("hair_men",)]
        [None]
    """
    path = locate(family, spec)
    if path is None:
        return f"not installed; install {spec.package!r}"
    try:
        if path.stat().st_size != spec.size or sha256_of(path) != spec.sha256:
            return "the file is not the one that the family lists; get it again"
        _check_frame(path, family, spec, read_info(path))
    except (OSError, WeightsError) as error:
        return one_line(error)
    return None


def load_pretrained(
    name_or_path: str | os.PathLike[str],
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    method: str | None = None,
    verb: str | None = None,
    content: str | None = None,
    whole: bool = False,
    guided: bool = False,
    trainable: bool = False,
) -> Pretrained:
    """Load trained weights by name or path.

    Args:
        name_or_path: as :func:`resolve` takes it.
        device: where to put the network; the CPU by default.
        dtype: of its weights; float32 by default.
        method: of a family's weights, take those of this method; of a path, insist on it.
        verb: of a family's weights, take those that serve this verb, as far as their list says which they serve.
        content: of weights that edit several contents, which one; the attribute when it is named, and by default all
            of the network when only a path is.
        whole: whether to return all of the network however it is named.
        guided: whether it will be shown guides: of a family's weights, take those that follow guides, if there are any.
        trainable: whether the weights may change; see :func:`load`.

    Returns:
        The network in eval mode (or, of a network of several contents, what edits this one), the file's description,
        default guide codes, and what is known of it beside the file: its card, its family's figures.

    Raises:
        FamilyError: if there is no such family or attribute.
        WeightsError: if there are no such weights, the file is not sound, or they do not edit the content.
    """
    path, spec = resolve(name_or_path, method=method, verb=verb, guided=guided)
    sha256 = spec.sha256 if spec else None
    pretrained = load(path, sha256=sha256, device=device, dtype=dtype, trainable=trainable)
    if method is not None and pretrained.info.method != method:
        raise WeightsError(f"{path}: expected weights of method {method!r}, got {pretrained.info.method!r}")
    pretrained = pretrained._replace(card=read_card(path), metrics=spec.metrics if spec else ())
    if content is None and spec is not None and not whole:
        family, attribute = str(name_or_path).split("/")[:2]
        content = get_attribute(family, attribute).name
    return pretrained if content is None else pretrained.for_content(content, path)


def verify(name_or_path: str | os.PathLike[str]) -> WeightsInfo:
    """Check weights in every way that loading does, and return what they say of themselves.

    Args:
        name_or_path: as for :func:`load_pretrained`.

    Raises:
        FamilyError: if there is no such family or attribute.
        WeightsError: if there are no such weights, the file is not sound, or it is not what its family promises.
    """
    path, spec = resolve(name_or_path)
    info = load(path, sha256=spec.sha256 if spec else None).info
    if spec and (spec.method, spec.attributes) != (info.method, info.attributes):
        raise WeightsError(
            f"{path}: expected {spec.method!r} weights for {', '.join(spec.attributes)}, got {info.method!r} weights "
            f"for {', '.join(info.attributes)}; the family's list is out of date"
        )
    if spec:
        _check_frame(path, get_family(str(name_or_path).split("/")[0]), spec, info)
    elif info.family is not None:
        try:
            family = get_family(info.family)
        except FamilyError:  # weights work without the plugin that they were made for
            return info
        _check_frame(path, family, None, info)
    return info


def _of_family(
    text: str, method: str | None, verb: str | None, beside: Collection[str], word: str | None, guided: bool
) -> tuple[Path, WeightSpec]:
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise WeightsError(
            f"{text!r}: expected family/attribute such as 'faces/glasses', or the path of a weights file, and there is "
            "no such file"
        )
    family = get_family(parts[0])
    attribute = get_attribute(family, parts[1]).name
    fitting = weights_for(family, attribute, verb=verb, method=method, guided=guided and len(parts) == 2)
    if len(parts) == 3:
        known = [spec.id for spec in fitting]
        fitting = [spec for spec in fitting if spec.id == parts[2]]
        if known and not fitting:
            raise WeightsError(f"{family.name}/{attribute} has no weights {parts[2]!r}.{did_you_mean(parts[2], known)}")
    if not fitting:
        of_method = weights_for(family, attribute, method=method)
        wanted = (f" of method {method!r}" if method else "") + (f" that can {word}" if of_method else "")
        raise WeightsError(
            f"there are no weights for {family.name}/{attribute}{wanted}; train some with mbu-ops train, then name "
            "their folder"
        )
    alike = [spec for spec in fitting if spec.method == fitting[0].method]
    chosen = max(alike, key=lambda spec: len({attribute, *beside}.intersection(spec.attributes)))  # the first of these
    path = locate(family, chosen)
    if path is None:
        package, home = chosen.package, _home(family, chosen)
        raise WeightsError(
            f"the weights {chosen.id!r} are not installed: found neither in {package!r} nor at {home}; install "
            f"{package!r}"
        )
    return path, chosen


def _home(family: FamilySpec, spec: WeightSpec) -> Path:
    return Path(os.environ.get(HOME) or "~/.cache/mbu-ops").expanduser() / "weights" / family.name / spec.file


def _check_frame(path: Path, family: FamilySpec, spec: WeightSpec | None, info: WeightsInfo) -> None:
    """Check that weights were trained on a frame of their family, and on the one that its list says."""
    try:
        own = family.frame(info.frame)
    except FamilyError as error:
        raise WeightsError(
            f"{path}: expected weights trained on a frame of the family {family.name!r}: {error} Its plugin may "
            "be too old for them: get the version that they were made for"
        ) from error
    if spec is not None and own != (listed := family.frame(spec.frame)):
        raise WeightsError(
            f"{path}: expected weights trained on the frame {listed.name!r}, got {own.name!r}; the family's list is "
            "out of date"
        )
