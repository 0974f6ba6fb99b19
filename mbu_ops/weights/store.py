"""Where weights lie: at a path, in an installed package, or in the user's own folder. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path

from mbu_ops.errors import WeightsError
from mbu_ops.families.registry import get_attribute, get_family
from mbu_ops.families.spec import FamilySpec, WeightSpec

FILE = "weights.safetensors"
"""What a training run calls its weights."""

HOME = "MBU_OPS_HOME"
"""Environment variable that names the user's folder; ``~/.cache/mbu-ops`` when it is not set."""


def resolve(name_or_path: str | Path, method: str | None = None) -> tuple[Path, WeightSpec | None]:
    """Find a weights file.

    Args:
        name_or_path: a ``.safetensors`` file, a folder with a ``weights.safetensors``, ``"family/attribute"`` or
            ``"family/attribute/id"``.
        method: take the weights of this method, where the family has several.

    Returns:
        The file, and what its family promises of it (None for a path).

    Raises:
        FamilyError: for an unknown family or attribute.
        WeightsError: if there are no such weights.

    Example:
        >>> resolve("missing.safetensors")
        Traceback (most recent call last):
        mbu_ops.errors.WeightsError: expected a weights file at 'missing.safetensors', there is none; check the path
    """
    path = Path(name_or_path)
    if path.is_dir():
        if not (path / FILE).is_file():
            raise WeightsError(f"expected {FILE} in the folder {str(path)!r}, there is none; name a run of 'mbu-ops train'")
        return path / FILE, None
    if path.is_file():
        return path, None
    text = str(name_or_path)
    parts = text.split("/")
    if path.suffix == ".safetensors" or len(parts) not in (2, 3) or not all(parts) or parts[0].startswith((".", "~")):
        raise WeightsError(f"expected a weights file at {text!r}, there is none; check the path")
    family = get_family(parts[0])
    attribute = get_attribute(family, parts[1]).name
    spec = _choose(family, attribute, parts[2] if len(parts) == 3 else None, method)
    return _locate(spec), spec


def user_folder() -> Path:
    """Return the folder where a user may put weights of installed families under their own names.

    Example:
        >>> os.environ["MBU_OPS_HOME"] = "elsewhere"
        >>> user_folder().name
        'elsewhere'
        >>> del os.environ["MBU_OPS_HOME"]
    """
    return Path(os.environ.get(HOME) or Path.home() / ".cache" / "mbu-ops")


def _choose(family: FamilySpec, attribute: str, weight_id: str | None, method: str | None) -> WeightSpec:
    fitting = [
        weight
        for weight in family.weights
        if attribute in weight.attributes
        and (weight_id is None or weight.id == weight_id)
        and (method is None or weight.method == method)
    ]
    if fitting:
        return fitting[0]
    there = [weight.id for weight in family.weights if attribute in weight.attributes]
    wanted = f"{family.name}/{attribute}" + (f"/{weight_id}" if weight_id else "") + (f" ({method})" if method else "")
    raise WeightsError(
        f"no weights for {wanted}; there are {', '.join(there) if there else 'none'}: train some with 'mbu-ops train' "
        "and name their folder"
    )


def _locate(spec: WeightSpec) -> Path:
    own = user_folder() / spec.file
    try:
        packaged = Path(str(spec.locate()))
    except ModuleNotFoundError:
        packaged = None
    for path in (packaged, own):
        if path is not None and path.is_file():
            return path
    raise WeightsError(
        f"the file of the weights {spec.id!r} is missing: looked for {spec.file!r} in the package {spec.package!r} and "
        f"in {str(own.parent)!r}; install the package again"
    )
