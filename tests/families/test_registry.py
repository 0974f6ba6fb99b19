"""Families and attributes by name."""

from __future__ import annotations

import pytest

from mbu_ops import families
from mbu_ops.errors import FamilyError
from mbu_ops.families import AttributeSpec, FamilySpec, get_attribute, get_family, parse_attribute

from .conftest import FAMILY, Install

PETS = "[mbu_ops.families]\npets = {module}:family\n"


def test_a_plugin_is_a_family_like_any_other(install: Install) -> None:
    install("pets-plugin", PETS.format(module="good_pets"), {"good_pets": FAMILY.format(name="pets")})
    assert [family.name for family in families.families()] == ["faces", "handbags", "pets"]
    assert get_family("pets").attributes == (AttributeSpec("hat", "Hat"),)
    assert parse_attribute("pets/hat")[1].name == "hat"
    assert families.broken() == ()


def test_getting_one_family_imports_no_other(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("pets-plugin", PETS.format(module="loud_pets"), {"loud_pets": "raise SystemExit('imported')"})
    assert get_family("faces").name == "faces"
    assert capsys.readouterr() == ("", "")


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(FamilyError, match=r"there is no family 'fases'\. Did you mean 'faces'\?"):
        get_family("fases")
    with pytest.raises(FamilyError, match=r"family 'faces' has no attribute 'smil'\. Did you mean 'smil"):
        get_attribute("faces", "smil")
    with pytest.raises(FamilyError, match=r"There is: .*glasses"):
        get_attribute("faces", "wings")


def test_parse_attribute() -> None:
    family, attribute = parse_attribute("faces/beard")
    assert (family.name, attribute.name) == ("faces", "facial_hair")
    own = FamilySpec("own", attributes=(AttributeSpec("tail", "Tail"),))
    assert get_attribute(own, "tail").title == "Tail"
    for text in ("", "faces/", "/glasses", "a/b/c"):
        with pytest.raises(FamilyError):
            parse_attribute(text)


BROKEN = {
    "raises": ("raise RuntimeError('no\\nluck')", "RuntimeError: no luck"),
    "leaves": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "is missing a module": ("import no_such_thing_at_all", "ModuleNotFoundError"),
    "is no Python": ("def (", "SyntaxError"),
    "has no family": ("", "AttributeError"),
    "is no family": ("family = {'name': 'pets'}", "expected a FamilySpec .* got dict"),
    "has another name": (FAMILY.format(name="cats"), "named 'pets' and the family 'cats'"),
    "is malformed": ("from mbu_ops.families import FamilySpec\nfamily = FamilySpec('Pets!')", "ConfigurationError"),
    "is of another time": (
        "from mbu_ops.families import FamilySpec\nfamily = FamilySpec('pets', api_version=7)",
        "api_version 1, got 7",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_costs_only_itself(
    case: str, install: Install, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    code, reason = BROKEN[case]
    module = f"pets_that_{case.replace(' ', '_')}"
    install("pets-plugin", PETS.format(module=module), {module: code})

    for _ in range(2):
        assert [family.name for family in families.families()] == ["faces", "handbags"]
    with pytest.raises(FamilyError, match=reason):
        get_family("pets")
    (broken,) = families.broken()
    assert (broken.name, broken.distribution) == ("pets", "pets-plugin")
    assert capsys.readouterr() == ("", "")
    assert caplog.messages == [str(broken)], "one line, once"


def test_a_name_claimed_twice_names_both(install: Install) -> None:
    for number in ("one", "two"):
        install(f"pets-{number}", PETS.format(module="any_pets"))
    with pytest.raises(FamilyError, match="'pets-one' and 'pets-two' claim the same name"):
        get_family("pets")
