"""The pages: their links, their commands and their Python."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest
from _pytest.mark import ParameterSet

import mbu_ops
from mbu_ops.objectives.mbu import LOSS_WEIGHTS, MBULossWeights
from mbu_ops.ops import ChainSpec
from mbu_ops_cli.app import cli
from mbu_ops_cli.train_command import TrainCommand

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def shown_commands() -> Iterator[ParameterSet]:
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.splitlines():
                if "mbu-ops " in line:
                    words = shlex.split(line[line.index("mbu-ops ") :], comments=True)
                    words = words[1 : words.index(">") if ">" in words else None]
                    yield pytest.param(words, id=f"{page.name}: {' '.join(words)}")


COMMANDS = list(shown_commands())


def links() -> ModuleType:
    specification = importlib.util.spec_from_file_location("check_links", ROOT / "tools/check_links.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", [*PAGES, *sorted(set(ROOT.glob("*.md")) - set(PAGES))], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert not list(links().broken_links(page))


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Top\n[a](page.md#top) [b](gone.md) [c](#gone) [d](https://example.com)\n```\n[e](code.md)\n```\n"
    )
    assert list(links().broken_links(page)) == ["gone.md", "#gone"]


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_have_the_options_they_are_shown_with(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # settings files are named from there
    command: click.Command = cli
    context = click.Context(cli, info_name="mbu-ops")
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(context, name)
        assert found is not None, name
        command = found
        context = click.Context(command, context, name)
    if isinstance(command, TrainCommand):
        # the method that docs/methods.md writes is not installed: tests/methods/test_own.py trains it
        command.recognise(context, ["mbu" if word == "stickers" else word for word in words])
    _, rest, _ = command.make_parser(context).parse_args(words)
    assert not rest


@pytest.mark.parametrize(
    "words", [param for param in COMMANDS if param.values[0][0] == "chain" and "--recipe" not in param.values[0]]
)
def test_chains_follow_the_grammar(words: list[str]) -> None:
    steps = [word for word in words[1:] if re.match(r"[a-z]+:", word)]
    assert [str(step) for step in ChainSpec.parse(steps).steps] == steps


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_parses_and_takes_names_that_exist(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "mbu_ops":
                assert hasattr(mbu_ops, node.attr)
            elif isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_table_of_loss_weights_is_that_of_the_code() -> None:
    page = (ROOT / "docs/methods/mbu.md").read_text(encoding="utf-8")
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    start = next(index for index, row in enumerate(rows) if row[0] == "weight's name")
    _, _, *recipes = rows[start]
    terms = [field.name for field in dataclasses.fields(MBULossWeights)]
    table = {row[0]: [float(cell) for cell in row[2:]] for row in rows[start + 2 :] if row[0] in terms}
    assert recipes == list(LOSS_WEIGHTS)
    assert table == {term: [getattr(LOSS_WEIGHTS[recipe], term) for recipe in recipes] for term in terms}
