"""Files that the code's host and other tools read: they are sound, and agree with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mbu_ops import __version__

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
METHODS = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "methods").glob("*.md"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


CITATION = read(ROOT / "CITATION.cff")


def test_the_citation_is_of_the_last_release() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, day = re.findall(r"^## \[(\d[^\]]*)\] - (\S+)$", changelog, re.MULTILINE)[0]
    assert (CITATION["version"], CITATION["date-released"]) == (version, day)
    assert version == __version__


@pytest.mark.parametrize("paper", CITATION["references"], ids=lambda paper: paper["title"])
def test_papers_are_cited_as_the_methods_pages_have_them(paper: dict[str, Any]) -> None:
    names = ", ".join(author["family-names"] for author in paper["authors"])
    where = paper["conference"]["name"] if "conference" in paper else f"{paper['journal']} {paper['year']}"
    assert f"{names}: *{paper['title']}*, {where}" in METHODS


def test_the_four_papers_are_there() -> None:
    assert [paper["year"] for paper in CITATION["references"]] == [2020, 2019, 2021, 2019]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_for_issues_is_one(form: Path) -> None:
    content = read(form)
    assert content.keys() == {"name", "description", "labels", "body"}
    asked = [field for field in content["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in asked} <= {"checkboxes", "dropdown", "input", "textarea"}
    assert all(field["attributes"]["label"] for field in asked)
    names = [field["id"] for field in asked]
    assert len(set(names)) == len(names)
    for page in re.findall(r"\b(?:docs/\w+|[A-Z]+)\.md\b", form.read_text(encoding="utf-8")):
        assert (ROOT / page).is_file(), page


def test_hooks_before_a_commit_are_the_makefile_s() -> None:
    (repo,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    targets = {hook["entry"].split()[-1] for hook in repo["hooks"]}
    assert targets == {"lint", "types"}
    assert all(hook["entry"].startswith("make ") and hook["language"] == "system" for hook in repo["hooks"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
