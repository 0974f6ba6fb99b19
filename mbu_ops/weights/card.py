"""Weights as a folder to pass on: the weights file, and a card that says what they are, as model hubs read it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.files import atomic_path, read_regular
from mbu_ops.weights.file import TRAINED, Pretrained, save

CARD = "README.md"
"""Name of the card in a folder."""

LARGEST_CARD = 1 << 20
"""Bytes of a card; a longer one is none."""

_FENCE = "---\n"  # around the facts that begin a card, in YAML
_LICENCES = ("mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0")


def save_pretrained(pretrained: Pretrained, folder: str | os.PathLike[str]) -> None:
    """Write weights and their card into a folder, which is a name of theirs from then on.

    Args:
        pretrained: all of the networks, as :func:`mbu_ops.weights.load_pretrained` returns them. Its card and figures
            are those of the file: after more training, give ``pretrained._replace(card=..., metrics=())``.
        folder: where to; made if missing. ``weights.safetensors`` and ``README.md`` in it are replaced.

    Raises:
        ConfigurationError: if these are not all of a method's networks.
        WeightsError: if a number is not finite, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from mbu_ops.weights import load_pretrained
        >>> folder = Path(tempfile.mkdtemp())
        >>> save_pretrained(load_pretrained("faces/glasses"), folder)
        >>> sorted(path.name for path in folder.iterdir()), load_pretrained(folder).info.attributes
        (['README.md', 'weights.safetensors'], ('glasses',))
    """
    import torch

    from mbu_ops.methods import get_method

    info, folder = pretrained.info, Path(folder)
    if not isinstance(pretrained.model, get_method(info.method)):
        raise ConfigurationError(
            f"expected all of the {info.method} networks, as trained, got {type(pretrained.model).__name__}: load them "
            "by mbu_ops.weights.load_pretrained(name, whole=True)"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        dtype: torch.dtype = getattr(torch, info.dtype)
        save(folder / TRAINED, pretrained.model, info, pretrained.guides, dtype, pretrained.presence)
        with atomic_path(folder / CARD) as temporary:
            temporary.write_text(model_card(pretrained), encoding="utf-8")
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder") from error


def model_card(pretrained: Pretrained) -> str:
    """Return the card of weights: facts in YAML, and what :func:`read_card` found beside them or a description.

    Example:
        >>> from mbu_ops.weights import load_pretrained
        >>> model_card(load_pretrained("avatars/glasses")).splitlines()[:3]
        ['---', 'license: "cc0-1.0"', 'library_name: "mbu-ops"']
    """
    if pretrained.card.startswith(_FENCE):
        return pretrained.card
    # JSON's values are YAML's, too, and no text from a stranger breaks out of them
    facts = "".join(f"{key}: {json.dumps(value)}\n" for key, value in _facts(pretrained))
    return f"{_FENCE}{facts}{_FENCE}\n{pretrained.card or _description(pretrained)}"


def read_card(weights: Path) -> str:
    """Return the card beside a weights file, such as ``hats.md`` beside ``hats.safetensors``; "" if there is none."""
    if named := _text(weights.with_suffix(".md")):
        return named
    general = _text(weights.with_name(CARD))
    return general if general.startswith(_FENCE) else ""  # other files of that name are about something else


def _text(path: Path) -> str:
    try:
        return read_regular(path, LARGEST_CARD).decode(errors="replace")
    except OSError:  # missing, mostly; no card is worth a failure to load
        return ""


def _title(pretrained: Pretrained) -> str:
    info = pretrained.info
    return "-".join((info.family or "weights", *info.attributes, info.method))


def _facts(pretrained: Pretrained) -> Iterator[tuple[str, object]]:
    info = pretrained.info
    licence = info.licence.lower().replace(" ", "-")
    yield "license", licence if licence in _LICENCES else "other"
    if licence not in _LICENCES:
        yield "license_name", re.sub(r"[^a-z0-9.]+", "-", licence).strip("-")
    yield "library_name", "mbu-ops"
    yield "pipeline_tag", "image-to-image"
    named = ("image-editing", info.family, *info.attributes, info.method)
    yield "tags", list(dict.fromkeys(tag for tag in named if tag))
    if pretrained.metrics:
        figures = [{"type": name, "value": value} for name, value in pretrained.metrics]
        result = {
            "task": {"type": "image-to-image"},
            "dataset": {"type": info.family or "images", "name": "pictures that training never saw"},
            "metrics": figures,
        }
        yield "model-index", [{"name": _title(pretrained), "results": [result]}]


def _description(pretrained: Pretrained) -> str:
    info = pretrained.info
    edited = " and ".join(info.attributes) or "one content"
    lines = (
        f"# {_title(pretrained)}",
        f"Weights of mbu-ops that edit {edited}: method `{info.method}`, {info.resolution} px, {info.dtype}, "
        f"{info.guides} default guide codes.",
        f"**Licence: {info.licence}.**",
        "Use them by the name of this folder, or of its repository on the Hub (`hf://user/repo`), in "
        "`mbu_ops.weights.load_pretrained(...)`, in an op's `from_pretrained(...)`, or in a step of `mbu-ops chain`.",
        f"How they were trained:\n\n```json\n{json.dumps(dict(info.training), indent=1, sort_keys=True)}\n```",
    )
    return "\n\n".join(lines) + "\n"
