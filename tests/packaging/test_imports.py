"""Importing is light: nothing heavy comes in before something needs it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import mbu_ops",
        "import mbu_ops.images",
        "import mbu_ops.batch; mbu_ops.batch.plan_files('-', '-'); mbu_ops.batch.Report",
        "import mbu_ops.families; mbu_ops.families.families()",
        "import mbu_ops.methods; mbu_ops.methods.method_names()",
        "import mbu_ops.weights",
        "import mbu_ops.frames; mbu_ops.frames.Box; mbu_ops.frames.Frame; mbu_ops.frames.aligner",
        "import mbu_ops.data; mbu_ops.data.Source, mbu_ops.data.LabelledSource",
        "import mbu_ops_faces",
        "import mbu_ops_cli.commands.train",
        "import mbu_ops_cli.app",
        "import mbu_ops; mbu_ops.ops.ChainSpec.parse('remove:smile add:glasses')",
    ],
)
def test_torch_stays_out(statement: str) -> None:
    assert not {"torch", "kornia", "accelerate"} & modules_after(statement)


def test_pyav_stays_out_until_a_video_is_opened() -> None:
    assert "av" not in modules_after("import mbu_ops; mbu_ops.video.edit, mbu_ops.batch.edit_files")


def test_edits_load_without_torch_s_compiler() -> None:
    steps = "remove:smile add:glasses remove:facial_hair adjust:smile remove:glasses,method=mbu segment:hair"
    assert "torch._dynamo" not in modules_after(f"import mbu_ops; mbu_ops.chain({steps!r}), mbu_ops.aligner('faces')")


def test_torch_comes_in_with_the_first_name_that_needs_it() -> None:
    assert "torch" in modules_after("import mbu_ops; mbu_ops.Transfer")


@pytest.mark.parametrize("name", ["mbu_ops", "mbu_ops.frames", "mbu_ops.ops"])
def test_every_public_name_is_there_and_listed(name: str) -> None:
    package = importlib.import_module(name)
    assert set(package.__all__) <= set(dir(package))
    assert all(getattr(package, name) is not None for name in package.__all__)
