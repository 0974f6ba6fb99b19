"""Whatever comes in, it is read or refused, in words of ours: a few seconds of it here, more by ``make fuzz``."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbu_ops.errors import ChainSyntaxError, ConfigurationError, ImageFileError, WeightsError
from mbu_ops.families import discovery, read_manifest, refresh
from mbu_ops.images import count_pixels, encode, read
from mbu_ops.limits import Limits, limited
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, read_info, save

from .damage import damaged

FOLDER = Path(tempfile.mkdtemp(prefix="mbu-ops-fuzz-"))
unhurried = settings(deadline=None)


def pictures() -> list[bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    deep = noise.astype(np.uint16) * 257
    return [
        *(encode(noise, format=name) for name in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF")),
        *(encode(deep, read(encode(deep, format=name)), name) for name in ("PNG", "TIFF")),
    ]


def weights() -> list[bytes]:
    model, path = tiny_mbu(), FOLDER / "sound.safetensors"
    save(path, model, WeightsInfo("mbu", model.config_to_dict(model.config), model.config.resolution))
    return [path.read_bytes()]


@given(damaged(pictures()))
@unhurried
def test_pictures_are_read_or_refused(content: bytes) -> None:
    path = FOLDER / "picture"
    path.write_bytes(content)
    assert count_pixels(path) >= 0
    with limited(Limits(max_pixels=100_000)):
        try:
            image = read(path)
        except ImageFileError:
            return
    assert 0 < image.width * image.height <= 100_000
    again = read(encode(image.pixels, image))
    assert again.pixels.shape == image.pixels.shape


@given(damaged(weights()))
@unhurried
def test_weights_headers_are_read_or_refused(content: bytes) -> None:
    path = FOLDER / "weights.safetensors"
    path.write_bytes(content)
    with suppress(WeightsError):
        assert read_info(path).method


WORDS = st.sampled_from(
    [
        *("remove", "add", "swap", "interpolate", ":", "@", ",", "=", "smile", "faces/", "./", "hf://a/b", "to"),
        *("guide", "strength", "0.5", "nan", "-1", "1e999", "'", '"', "\\", " ", "\n", "é", "\ud800", "\0", "@a.jpg"),
    ]
)


@given(st.one_of(st.text(max_size=30), st.lists(WORDS, max_size=12).map("".join)))
@example("add:smile@'a b.jpg',guide=0")
@unhurried
def test_chains_are_read_or_refused(text: str) -> None:
    try:
        spec = ChainSpec.parse(text)
    except ChainSyntaxError:
        return
    assert ChainSpec.parse(str(spec)) == spec
    assert ChainSpec.from_json(spec.to_json()) == spec


@contextmanager
def installed(entry_points: bytes) -> Iterator[None]:
    """Install a distribution with these entry points for a while."""
    info = FOLDER / "site" / "evil-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(entry_points)
    sys.path.insert(0, str(info.parent))
    refresh()
    try:
        yield
    finally:
        sys.path.remove(str(info.parent))
        refresh()


ENTRIES = [
    b"[mbu_ops.families]\npets = pets:family\n\n[console_scripts]\npets = pets.cli:main\n",
    b"[mbu_ops.families]\npets = pets:family [extra]\nbirds: birds:family\n[mbu_ops.verbs]\nfly = birds:verb\n",
]


@given(damaged(ENTRIES))
@unhurried
def test_entry_points_are_read_or_shown_as_broken(content: bytes) -> None:
    with installed(content):
        found = discovery.discover(discovery.FAMILIES)
    names = [plugin.name for plugin in found.plugins]
    assert len(set(names)) == len(names)
    assert {"faces", "handbags"} <= {*names, *(broken.name for broken in found.broken)}
    assert all(str(broken).isprintable() and len(str(broken)) < 1000 for broken in found.broken)


MANIFEST = [
    {"id": "a", "method": "mbu", "attributes": ["hat"], "file": "a.safetensors", "licence": "any", "sha256": "0" * 64}
    | {"size": 12, "frame": None, "verbs": ["add"], "first_for": ["add"], "metrics": {"psnr": 30.5}}
]


@given(damaged([json.dumps(MANIFEST).encode(), json.dumps(MANIFEST, indent=1).encode()]))
@unhurried
def test_manifests_are_read_or_refused(content: bytes) -> None:
    package = FOLDER / "packages" / "fuzzed_pets"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "weights.json").write_bytes(content)
    sys.path.insert(0, str(package.parent))
    try:
        with suppress(ConfigurationError):
            assert all(isinstance(spec.size, int) for spec in read_manifest("fuzzed_pets"))
    finally:
        sys.path.remove(str(package.parent))
