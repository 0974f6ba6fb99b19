"""Chains that are kept in a file: `mbu-ops chain --recipe look.toml`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mbu_ops_cli.app import run

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def recipe(hats: str, tmp_path: Path) -> Path:
    path = tmp_path / "look.toml"
    path.write_text(f'steps = ["remove:{hats}", "add:{hats},guide=1"]\nsave-mask = true\nbatch-size = 2\n')
    return path


def planned(captured: Captured, *args: str) -> dict[str, list[dict[str, str]]]:
    assert run(["chain", *args, "--dry-run", "--json"]) == 0
    plan: dict[str, list[dict[str, str]]] = json.loads(captured.readouterr().out)
    return plan


def test_a_recipe_says_steps_and_options(
    recipe: Path, hats: str, photos: Path, tmp_path: Path, capsys: Captured
) -> None:
    plan = planned(capsys, "--recipe", str(recipe), "-i", str(photos), "-o", str(tmp_path / "out"))
    assert [step["step"] for step in plan["steps"]] == [f"remove:{hats}", f"add:{hats},guide=1"]
    assert all(job["mask"] for job in plan["todo"])


def test_a_recipe_edits_as_its_steps_do(recipe: Path, hats: str, photos: Path, tmp_path: Path) -> None:
    steps = [f"remove:{hats}", f"add:{hats},guide=1"]
    assert run(["chain", *steps, "-i", str(photos / "0.png"), "-o", str(tmp_path / "said.png")]) == 0
    assert run(["chain", f"--recipe={recipe}", "-i", str(photos / "0.png"), "-o", str(tmp_path / "kept.png")]) == 0
    assert (tmp_path / "kept.png").read_bytes() == (tmp_path / "said.png").read_bytes()
    assert list(tmp_path.glob("kept*mask.png"))


def test_steps_of_the_command_line_come_after_those_of_the_recipe(
    recipe: Path, hats: str, photos: Path, tmp_path: Path, capsys: Captured
) -> None:
    more = ["--recipe", str(recipe), f"remove:{hats},detail=0", "-i", str(photos), "-o", str(tmp_path / "out")]
    assert [step["step"] for step in planned(capsys, *more)["steps"]][2:] == [f"remove:{hats},detail=0.0"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps = [", "--recipe"),
        ('step = "remove:smile"', "got 'step'"),
        ("steps = [true]", "expected text or a number or a list of those for steps"),
        ('recipe = "other.toml"', "got 'recipe'"),
        ("views = 2", "Missing argument 'STEP...'"),
    ],
)
def test_a_bad_recipe_is_named(text: str, says: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "look.toml").write_text(text)
    assert run(["chain", "--recipe", str(tmp_path / "look.toml")]) == 2
    assert says in capsys.readouterr().err


def test_a_missing_recipe_is_named(tmp_path: Path, capsys: Captured) -> None:
    assert run(["chain", "--recipe", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err
