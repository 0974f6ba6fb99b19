"""Fixtures that several test folders share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # as many threads as cores in each of as many processes would wait for one another; also in what tests start
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from mbu_ops import families
from mbu_ops.methods.mbu import MBU

from .hub_server import HubServer

pytest.register_assert_rewrite("mbu_ops.testing.op_tester", "mbu_ops.testing.family_tester")

Install = Callable[..., Path]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_charts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs draw no chart of their losses, as without matplotlib: it takes longer than a test's few steps."""
    if "charts" not in request.fixturenames:
        monkeypatch.setattr("mbu_ops.training.folder.can_draw", lambda: False)


@pytest.fixture
def charts() -> None:
    """Let runs draw charts of their losses."""


@pytest.fixture
def model() -> MBU:
    """A tiny MBU network in eval mode."""
    from mbu_ops.testing import tiny_mbu

    return tiny_mbu()


@pytest.fixture
def _no_measuring_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package with the weights that only measure be missing, as after a plain ``pip install mbu-ops``."""
    monkeypatch.setitem(sys.modules, "mbu_ops_measuring", None)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a distribution: its entry_points.txt and its modules."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.delenv("MBU_OPS_PLUGINS", raising=False)
    # plugins that this environment has for other tests are none of these tests' business
    everywhere = metadata.distributions
    present = {entry.metadata["Name"] for entry in everywhere()}
    monkeypatch.setattr(
        metadata,
        "distributions",
        lambda: [entry for entry in everywhere() if entry.metadata["Name"] not in present],
    )

    def add(distribution: str, entry_points: str | bytes, modules: dict[str, str] | None = None) -> Path:
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        content = entry_points if isinstance(entry_points, bytes) else entry_points.encode()
        (info / "entry_points.txt").write_bytes(content)
        for name, code in (modules or {}).items():
            (site / f"{name}.py").write_text(code)
        families.refresh()
        return info

    families.refresh()
    yield add
    families.refresh()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub of this test's own that the library takes for the real one; the cache is empty, nobody is logged in."""
    from huggingface_hub import constants

    home, real, cache = constants.HF_HOME, constants.ENDPOINT, str(tmp_path / "hf")
    with HubServer() as server:
        # read from the environment once, when the library is imported
        for name, value in list(vars(constants).items()):
            if isinstance(value, str) and value.startswith((home, real)):
                monkeypatch.setattr(constants, name, value.replace(home, cache).replace(real, server.address))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield server
