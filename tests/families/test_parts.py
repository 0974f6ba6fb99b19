"""The parts that pictures of a family consist of: what is refused, what follows from them, and those of faces."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable

import pytest

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import Anatomy, AttributeSpec, ComponentSpec, FamilySpec, PartSpec, get_family
from mbu_ops.families.parts import MOST_PARTS

REST = PartSpec("rest", "Rest", (0, 0, 0))
LEFT = PartSpec("left_ear", "Left ear", (1, 0, 0), mirror="right_ear", component="left")
RIGHT = PartSpec("right_ear", "Right ear", (2, 0, 0), mirror="left_ear", component="right")
TAIL = PartSpec("tail", "Tail", (3, 0, 0), component="tail")
WING = ComponentSpec("left", "ears", 0.5, 0.25)
ANATOMY = Anatomy(
    (REST, TAIL, LEFT, RIGHT), (WING, ComponentSpec("tail", "tail"), ComponentSpec("right", "ears")), whole="body"
)


def test_it_is_frozen_and_hashable() -> None:
    for spec in (ANATOMY, REST, WING):
        assert hash(spec) == hash(dataclasses.replace(spec))
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(spec, dataclasses.fields(spec)[0].name, "other")


def test_what_follows_from_parts_and_components() -> None:
    assert ANATOMY.names == ("rest", "tail", "left_ear", "right_ear")
    assert ANATOMY.colours == ((0, 0, 0), (3, 0, 0), (1, 0, 0), (2, 0, 0))
    assert ANATOMY.mirrored_order == (0, 1, 3, 2)
    assert ANATOMY.part_components == (None, 1, 0, 2)
    assert ANATOMY.contents == ("ears", "tail", "body"), "components that share an attribute are one content"
    assert dataclasses.replace(ANATOMY, whole="").contents == ("ears", "tail")


def test_parts_alone_are_an_anatomy() -> None:
    plain = Anatomy((REST, PartSpec("tail", "Tail", (3, 0, 0))))
    assert plain.contents == ()
    assert plain.part_components == (None, None)
    assert plain.mirrored_order == (0, 1)


def plain_parts(count: int) -> tuple[PartSpec, ...]:
    return tuple(PartSpec(f"part{number}", "Part", (number % 256, number // 256, 0)) for number in range(count))


def test_masks_are_bytes() -> None:
    assert len(Anatomy(plain_parts(MOST_PARTS)).names) == MOST_PARTS
    for count in (0, 1, MOST_PARTS + 1):
        with pytest.raises(ConfigurationError, match=f"expected 2 to {MOST_PARTS} parts, got {count}"):
            Anatomy(plain_parts(count))


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "a name with a space": (lambda: dataclasses.replace(REST, name="left ear"), "part name must be"),
    "a name in capitals": (lambda: dataclasses.replace(REST, name="Rest"), "part name must be"),
    "no name": (lambda: dataclasses.replace(REST, name=""), "part name must be"),
    "a name that is a number": (lambda: dataclasses.replace(REST, name=3), "part name must be"),
    "a name that ends in a line break": (lambda: dataclasses.replace(REST, name="rest\n"), "part name must be"),
    "no title": (lambda: dataclasses.replace(REST, title="  "), "title must be non-empty"),
    "a title that is none": (lambda: dataclasses.replace(REST, title=None), "title must be non-empty"),
    "a mirror that is no name": (lambda: dataclasses.replace(REST, mirror=""), "'rest': mirror must be"),
    "a mirror that is a part": (lambda: dataclasses.replace(REST, mirror=LEFT), "'rest': mirror must be"),
    "a component that is no name": (lambda: dataclasses.replace(REST, component="The hair"), "component must be"),
    "a component that is one": (lambda: dataclasses.replace(REST, component=WING), "component must be"),
    "two colours": (lambda: dataclasses.replace(REST, colour=(0, 0)), "three numbers 0 to 255"),
    "four colours": (lambda: dataclasses.replace(REST, colour=(0, 0, 0, 255)), "three numbers 0 to 255"),
    "a colour as a list": (lambda: dataclasses.replace(REST, colour=[0, 0, 0]), "three numbers 0 to 255"),
    "a colour as text": (lambda: dataclasses.replace(REST, colour="red"), "three numbers 0 to 255"),
    "a colour in [0, 1]": (lambda: dataclasses.replace(REST, colour=(0.0, 0.5, 1.0)), "three numbers 0 to 255"),
    "a colour of switches": (lambda: dataclasses.replace(REST, colour=(True, 0, 0)), "three numbers 0 to 255"),
    "a colour beyond 255": (lambda: dataclasses.replace(REST, colour=(0, 256, 0)), "three numbers 0 to 255"),
    "a colour below 0": (lambda: dataclasses.replace(REST, colour=(0, 0, -1)), "three numbers 0 to 255"),
    "a component without a name": (lambda: dataclasses.replace(WING, name=""), "component '': name must be"),
    "a component without an attribute": (lambda: dataclasses.replace(WING, attribute=None), "attribute must be"),
    "a crop of no width": (lambda: dataclasses.replace(WING, width=0), "width must be above 0"),
    "a crop in pixels": (lambda: dataclasses.replace(WING, height=32), "height must be above 0 and at most 1"),
    "a crop that is no number": (lambda: dataclasses.replace(WING, width=float("nan")), "width must be above 0"),
    "a crop as text": (lambda: dataclasses.replace(WING, width="0.5"), "width must be above 0"),
    "a crop that is none": (lambda: dataclasses.replace(WING, height=None), "height must be above 0"),
    "parts as a list": (lambda: dataclasses.replace(ANATOMY, parts=list(ANATOMY.parts)), "tuple of PartSpec"),
    "parts that are names": (lambda: Anatomy(("rest", "tail")), "tuple of PartSpec"),
    "components as a list": (lambda: dataclasses.replace(ANATOMY, components=[WING]), "tuple of ComponentSpec"),
    "components that are parts": (lambda: dataclasses.replace(ANATOMY, components=(REST,)), "tuple of ComponentSpec"),
    "a part twice": (lambda: Anatomy((REST, REST)), "part names must be unique, got twice: rest"),
    "a colour twice": (
        lambda: Anatomy((REST, dataclasses.replace(REST, name="other"))),
        r"part colours must be unique, got twice: \(0, 0, 0\)",
    ),
    "a component twice": (
        lambda: dataclasses.replace(ANATOMY, components=(*ANATOMY.components, WING)),
        "component names must be unique, got twice: left",
    ),
    "a mirror that is missing": (
        lambda: Anatomy((REST, dataclasses.replace(LEFT, component=None))),
        "'left_ear' mirrors 'right_ear', which must mirror it",
    ),
    "a mirror that mirrors nothing": (
        lambda: Anatomy((REST, PartSpec("tail", "Tail", (1, 1, 1), mirror="rest"))),
        "'tail' mirrors 'rest', which must mirror it",
    ),
    "mirrors in a ring": (
        lambda: Anatomy(
            tuple(
                PartSpec(name, "Part", (number, 0, 0), mirror=mirror)
                for number, (name, mirror) in enumerate((("a", "b"), ("b", "c"), ("c", "a")))
            )
        ),
        "which must mirror it",
    ),
    "a component that is missing": (
        lambda: Anatomy((REST, TAIL)),
        "part 'tail' names no component: 'tail'",
    ),
    "a component of no part": (
        lambda: Anatomy((REST, PartSpec("tail", "Tail", (1, 1, 1))), (WING,)),
        "no part belongs to the component left",
    ),
    "a whole that is no name": (lambda: dataclasses.replace(ANATOMY, whole="All of it"), "whole must be"),
    "a whole that is a number": (lambda: dataclasses.replace(ANATOMY, whole=3), "whole must be"),
    "a whole that is none": (lambda: dataclasses.replace(ANATOMY, whole=None), "whole must be"),
    "a whole that a component is already": (lambda: dataclasses.replace(ANATOMY, whole="ears"), "ears"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_malformed_is_refused(case: str) -> None:
    make, says = BAD[case]
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_a_family_may_name_its_parts() -> None:
    family = FamilySpec("birds", attributes=(AttributeSpec("tail", "Tail"),), anatomy=ANATOMY)
    assert family.anatomy is ANATOMY
    assert FamilySpec("birds").anatomy is None


@pytest.mark.parametrize("anatomy", ["faces", ANATOMY.parts, {"parts": ANATOMY.parts}, Anatomy])
def test_an_anatomy_that_is_none_is_refused(anatomy: object) -> None:
    with pytest.raises(ConfigurationError, match="'birds': anatomy must be an Anatomy or None"):
        FamilySpec("birds", anatomy=anatomy)


# -- faces ------------------------------------------------------------------------------------------------------------

FACES = get_family("faces")
CELEBAMASK = (
    *("background", "skin", "nose", "glasses", "left_eye", "right_eye", "left_brow", "right_brow", "left_ear"),
    *("right_ear", "inner_mouth", "upper_lip", "lower_lip", "hair", "hat", "earring", "necklace", "neck", "cloth"),
)
"""CelebAMask-HQ's order: its README lists skin, nose, eye_g, l_eye, r_eye, l_brow, r_brow, l_ear, r_ear, mouth, u_lip,
l_lip, hair, hat, ear_r, neck_l, neck, cloth as 1 to 18."""


@pytest.fixture
def faces() -> Anatomy:
    assert FACES.anatomy is not None
    return FACES.anatomy


def test_faces_have_the_numbers_of_celebamask(faces: Anatomy) -> None:
    assert faces.names == CELEBAMASK
    assert len(set(faces.colours)) == 19
    assert faces.colours[0] == (0, 0, 0)


def test_sided_parts_of_faces_become_each_other(faces: Anatomy) -> None:
    pairs = {(faces.names[one], faces.names[other]) for one, other in enumerate(faces.mirrored_order) if one != other}
    sides = [(f"left_{part}", f"right_{part}") for part in ("eye", "brow", "ear")]
    assert pairs == {*sides, *(pair[::-1] for pair in sides)}
    assert [faces.mirrored_order[number] for number in faces.mirrored_order] == list(range(19))


def test_faces_are_put_together_from_five_components(faces: Anatomy) -> None:
    names = [component.name for component in faces.components]
    assert names == ["left_eye", "right_eye", "mouth", "skin", "hair"]
    assert faces.contents == ("eyes", "mouth", "skin", "hair", "face")
    belongs: dict[str, list[str]] = {name: [] for name in names}
    for part, component in zip(faces.names, faces.part_components, strict=True):
        if component is not None:
            belongs[names[component]].append(part)
    assert belongs == {
        "left_eye": ["left_eye"],
        "right_eye": ["right_eye"],
        "mouth": ["inner_mouth", "upper_lip", "lower_lip"],
        "skin": ["skin", "nose", "left_brow", "right_brow", "left_ear", "right_ear"],
        "hair": ["hair"],
    }
    sizes = [(256 * component.width, 256 * component.height) for component in faces.components]
    assert sizes == [(48, 32), (48, 32), (144, 80), (256, 256), (256, 256)], "the paper's, section 4"


def test_what_faces_are_made_of_can_be_named(faces: Anatomy) -> None:
    known = {attribute.name: attribute for attribute in FACES.attributes}
    assert {*faces.names, *faces.contents} <= set(known)
    for part in faces.parts:
        if part.name == "glasses":  # an attribute of its own, learnt from pictures with them and without
            assert known["glasses"].with_rule == (("Eyeglasses",),)
        else:
            assert known[part.name].title == part.title


def test_parts_need_no_torch() -> None:
    code = "import sys, mbu_ops_faces.parts; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
