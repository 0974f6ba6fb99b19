"""What the command-line tests share: trained weights of an untrained tiny network, and pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from mbu_ops import images
from mbu_ops.evaluation.judge import Judge
from mbu_ops.families import AttributeSpec, FamilySpec, SampleSpec, WeightSpec, discovery, refresh
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo, read_info, save

from ..pictures import draw, draw_tree
from ..tiny_faces import ANATOMY, face_labels, register, save_network

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pixels_of(path: Path | str) -> NDArray[Any]:
    """Decode a file completely."""
    with Image.open(path) as image:
        return np.asarray(image)


def save_tiny(folder: Path, seed: int = 0, guides: int = 3) -> Path:
    """Write ``weights.safetensors`` of a tiny network into a folder."""
    model = tiny_mbu(seed)
    with torch.no_grad():
        codes = model.encode_guide(torch.rand(guides, 3, 16, 16)) if guides else None
    info = WeightsInfo(
        method="mbu",
        config=dataclasses.asdict(model.config),
        family="pets",
        attributes=("hat",),
        resolution=16,
        licence="public domain",
        training={},
        guides=guides,
        dtype="float32",
    )
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "weights.safetensors", model, info, codes, dtype=torch.float32)
    return folder


def training_of(folder: Path) -> dict[str, Any]:
    """What a run's weights say of their training."""
    return dict(read_info(folder / "weights.safetensors").training)


def judge_that_learnt(facts: Mapping[str, object]) -> Judge:
    """An untrained judge that says it has learnt from that."""
    judge = Judge(backbone="small")
    judge.learnt = dict(facts)
    return judge


@pytest.fixture(scope="session")
def hats(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of trained weights with three default guides, as a chain step names it."""
    return str(save_tiny(tmp_path_factory.mktemp("weights") / "hats"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of five pictures of two sizes, in a tree."""
    return draw_tree(tmp_path / "photos")


@pytest.fixture
def mbu_ops(tmp_path: Path) -> Command:
    """Run the command line in a process of its own, in an empty folder."""

    def run(*args: str, **options: object) -> subprocess.CompletedProcess[bytes]:
        settings: dict[str, Any] = {"cwd": tmp_path, "capture_output": True, "timeout": 120} | options
        if "input" not in settings:
            settings["stdin"] = subprocess.DEVNULL
        return subprocess.run([sys.executable, "-m", "mbu_ops_cli", *args], **settings)

    return run


@pytest.fixture
def pets(tmp_path: Path, hats: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FamilySpec]:
    """A family with weights and a sample picture, as a plugin would bring it."""
    package = tmp_path / "plugin" / "fake_pets_data"
    draw(package / "rex.png", (40, 32), 9)
    (package / "__init__.py").write_text("")
    data = Path(hats, "weights.safetensors").read_bytes()
    (package / "hat.safetensors").write_bytes(data)
    weights = WeightSpec(
        id="hat-tiny",
        method="mbu",
        attributes=("hat",),
        file="hat.safetensors",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        licence="public domain",
        package="fake_pets_data",
        metrics=(("added", 0.5),),
    )
    family = FamilySpec(
        "pets",
        title="Pets",
        attributes=(AttributeSpec("hat", "Hat", aliases=("cap",)), AttributeSpec("collar", "Collar")),
        weights=(weights,),
        samples=(SampleSpec("rex", "rex.png", "fake_pets_data", "drawn by the tests", (4, 2, 34, 32), ("hat",)),),
    )
    module = ModuleType("fake_pets")
    module.family = family  # type: ignore[attr-defined]
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setitem(sys.modules, "fake_pets", module)
    monkeypatch.setitem(discovery.BUILT_IN[discovery.FAMILIES], "pets", "fake_pets:family")
    refresh()
    yield family
    sys.modules.pop("fake_pets_data", None)
    monkeypatch.undo()
    refresh()


@pytest.fixture
def dolls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A family of the parts that tiny networks know, without an aligner; call it to change that."""

    def change(finder: object = None, **changes: object) -> None:
        register(monkeypatch, finder, **changes)
        refresh()

    change()
    yield change
    monkeypatch.undo()
    refresh()


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights of tiny portrait networks with three default looks."""
    return save_network(tmp_path_factory.mktemp("weights") / "portrait.safetensors")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return draw(tmp_path / "photo.png", (56, 40))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    images.write_labels(tmp_path / "face.png", face_labels(1)[0, 0].numpy(), ANATOMY.colours)
    return tmp_path / "face.png"


@pytest.fixture(autouse=True)
def _quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judges of one step know nothing whatever they see: a few small pictures at a time, and not hundreds of 128 px."""
    monkeypatch.setattr("mbu_ops.evaluation.judge.HALF_BATCH", 4)
    for module in ("judge", "networks.image_features"):
        monkeypatch.setattr(f"mbu_ops.evaluation.{module}.SIDE", 32)


@pytest.fixture(autouse=True)
def _few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
