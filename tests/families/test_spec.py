"""What a family may declare."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ConfigurationError
from mbu_ops.families import (
    AttributeSpec,
    FamilySpec,
    FrameSpec,
    GuideSpec,
    Layout,
    SampleSpec,
    WeightSpec,
    family_json,
    get_family,
    read_family,
    rule_holds,
    weights_for,
)

HAT = AttributeSpec("hat", "Hat", aliases=("cap",))
WEIGHTS = WeightSpec("hat-1", "mbu", ("hat",), "hat.safetensors", "0" * 64, 10, "research")
SAMPLE = SampleSpec("someone", "samples/a.jpg", "some_package", "public domain", (0, 0, 4, 4), ("hat",))
GUIDE = GuideSpec("top_hat", "Top hat", "hat", "guides/top_hat.png", "some_package", "CC0")
FAMILY = FamilySpec("pets", title="Pets", attributes=(HAT,), weights=(WEIGHTS,), samples=(SAMPLE,), guides=(GUIDE,))


def test_specs_are_frozen_and_hashable() -> None:
    assert hash(FAMILY) == hash(dataclasses.replace(FAMILY))
    with pytest.raises(dataclasses.FrozenInstanceError):
        FAMILY.name = "other"


@pytest.mark.parametrize("spec", [HAT, WEIGHTS, SAMPLE, GUIDE, FAMILY])
@pytest.mark.parametrize("name", ["", "Hat", "a-b c", "../x", "é", "hat\n", 3, None])
def test_names_are_plain(spec: object, name: object) -> None:
    field = "id" if isinstance(spec, WeightSpec) else "name"
    with pytest.raises(ConfigurationError, match=r"must (be|match)"):
        dataclasses.replace(spec, **{field: name})  # type: ignore[type-var]


BAD: dict[str, Callable[[], object]] = {
    "aliases as text": lambda: dataclasses.replace(HAT, aliases="cap"),
    "aliases as a list": lambda: dataclasses.replace(HAT, aliases=["cap"]),
    "an alias with a space": lambda: dataclasses.replace(HAT, aliases=("a cap",)),
    "a guide without a title": lambda: dataclasses.replace(GUIDE, title=""),
    "a guide without a credit": lambda: dataclasses.replace(GUIDE, credit=" "),
    "a guide anywhere on the disk": lambda: dataclasses.replace(GUIDE, file="../guide.png"),
    "a guide in no package": lambda: dataclasses.replace(GUIDE, package="some package"),
    "a guide of an attribute with a space": lambda: dataclasses.replace(GUIDE, attribute="a hat"),
    "a guide of a frame with a space": lambda: dataclasses.replace(GUIDE, frame="a hat"),
    "a guide of a frame that is not there": lambda: dataclasses.replace(
        FAMILY, guides=(dataclasses.replace(GUIDE, frame="ear"),)
    ),
    "a guide of an attribute that is not there": lambda: dataclasses.replace(
        FAMILY, guides=(dataclasses.replace(GUIDE, attribute="tail"),)
    ),
    "guides as a list": lambda: dataclasses.replace(FAMILY, guides=[GUIDE]),
    "two guides of one name": lambda: dataclasses.replace(FAMILY, guides=(GUIDE, GUIDE)),
    "no title": lambda: dataclasses.replace(HAT, title=" "),
    "a rule that is text": lambda: dataclasses.replace(HAT, with_rule="Hat"),
    "a rule one tuple short": lambda: dataclasses.replace(HAT, with_rule=("Hat",)),
    "a rule of nothing": lambda: dataclasses.replace(HAT, with_rule=((),)),
    "a label twice negated": lambda: dataclasses.replace(HAT, without_rule=(("!!Hat",),)),
    "a balance that is text": lambda: dataclasses.replace(HAT, balance="Male"),
    "a negated balance": lambda: dataclasses.replace(HAT, balance=("Male Young",)),
    "a recipe that is none": lambda: dataclasses.replace(HAT, recipe=None),
    "an absolute file": lambda: dataclasses.replace(WEIGHTS, file="/etc/passwd"),
    "a file that climbs": lambda: dataclasses.replace(WEIGHTS, file="a/../../b.safetensors"),
    "a file on a drive": lambda: dataclasses.replace(WEIGHTS, file="C:/x"),
    "a file with backslashes": lambda: dataclasses.replace(WEIGHTS, file="..\\x"),
    "no file": lambda: dataclasses.replace(WEIGHTS, file=""),
    "a short digest": lambda: dataclasses.replace(WEIGHTS, sha256="00"),
    "a digest in capitals": lambda: dataclasses.replace(WEIGHTS, sha256="A" * 64),
    "no size": lambda: dataclasses.replace(WEIGHTS, size=0),
    "a size that is true": lambda: dataclasses.replace(WEIGHTS, size=True),
    "no attributes": lambda: dataclasses.replace(WEIGHTS, attributes=()),
    "no licence": lambda: dataclasses.replace(WEIGHTS, licence=""),
    "a package that is a path": lambda: dataclasses.replace(WEIGHTS, package="a/b"),
    "metrics as a dictionary": lambda: dataclasses.replace(WEIGHTS, metrics={"a": 1}),
    "a sample file that climbs": lambda: dataclasses.replace(SAMPLE, file="../a.jpg"),
    "a sample without credit": lambda: dataclasses.replace(SAMPLE, credit=""),
    "a box of three": lambda: dataclasses.replace(SAMPLE, box=(0, 0, 4)),
    "an empty box": lambda: dataclasses.replace(SAMPLE, box=(4, 0, 4, 4)),
    "a box outside": lambda: dataclasses.replace(SAMPLE, box=(-1, 0, 4, 4)),
    "a box of fractions": lambda: dataclasses.replace(SAMPLE, box=(0.0, 0.0, 4.0, 4.0)),
    "a newer api": lambda: dataclasses.replace(FAMILY, api_version=2),
    "attributes as a list": lambda: dataclasses.replace(FAMILY, attributes=[HAT]),
    "attributes that are names": lambda: dataclasses.replace(FAMILY, attributes=("hat",)),
    "an attribute twice": lambda: dataclasses.replace(FAMILY, attributes=(HAT, HAT)),
    "an alias that is a name": lambda: dataclasses.replace(FAMILY, attributes=(HAT, AttributeSpec("cap", "Cap"))),
    "weights twice": lambda: dataclasses.replace(FAMILY, weights=(WEIGHTS, WEIGHTS)),
    "weights for something else": lambda: dataclasses.replace(
        FAMILY, weights=(dataclasses.replace(WEIGHTS, attributes=("boots",)),)
    ),
    "a sample of something else": lambda: dataclasses.replace(
        FAMILY, samples=(dataclasses.replace(SAMPLE, attributes=("boots",)),)
    ),
    "verbs as text": lambda: dataclasses.replace(WEIGHTS, verbs="transfer"),
    "verbs as a list": lambda: dataclasses.replace(WEIGHTS, verbs=["transfer"]),
    "verbs that are numbers": lambda: dataclasses.replace(WEIGHTS, verbs=(1,)),
    "first for text": lambda: dataclasses.replace(WEIGHTS, first_for="remove"),
    "first for no name": lambda: dataclasses.replace(WEIGHTS, first_for=("Remove it",)),
    "first for a verb that they lack": lambda: dataclasses.replace(WEIGHTS, verbs=("transfer",), first_for=("remove",)),
    "guides that are followed a little": lambda: dataclasses.replace(WEIGHTS, follows_guides=0.5),
    "two that are first for one verb": lambda: dataclasses.replace(
        FAMILY,
        weights=tuple(dataclasses.replace(WEIGHTS, id=name, first_for=("remove",)) for name in ("hat-1", "hat-2")),
    ),
    "a frame that is no name": lambda: dataclasses.replace(WEIGHTS, frame="Left ear"),
    "a frame of another family": lambda: dataclasses.replace(
        FAMILY, weights=(dataclasses.replace(WEIGHTS, frame="ear"),)
    ),
    "a noun of nothing": lambda: dataclasses.replace(FAMILY, noun=""),
    "a noun with a full stop": lambda: dataclasses.replace(FAMILY, noun="pet."),
    "a noun of two lines": lambda: dataclasses.replace(FAMILY, noun="pet\n"),
    "a noun that is none": lambda: dataclasses.replace(FAMILY, noun=None),
    "regions without a module": lambda: dataclasses.replace(FAMILY, regions="find"),
    "regions that are a function": lambda: dataclasses.replace(FAMILY, regions=print),
    "an identity without a module": lambda: dataclasses.replace(FAMILY, identity=":build"),
    "judges without a module": lambda: dataclasses.replace(FAMILY, judges="packaged"),
    "judges that are a function": lambda: dataclasses.replace(FAMILY, judges=print),
    "no judges but text": lambda: dataclasses.replace(FAMILY, judges=""),
    "an aligner without a module": lambda: dataclasses.replace(FAMILY, aligner="align"),
    "a title that is none": lambda: dataclasses.replace(FAMILY, title=None),
}


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_field_is_refused(case: str) -> None:
    with pytest.raises(ConfigurationError):
        BAD[case]()


def test_weights_name_a_frame_of_their_family() -> None:
    ear = dataclasses.replace(WEIGHTS, frame="ear")
    frames = (FrameSpec("pet"), FrameSpec("ear", within="pet", y=0.1, width=0.2, height=0.2))
    family = dataclasses.replace(FAMILY, weights=(ear,), frames=frames)
    assert family.frame(family.weights[0].frame).width == 0.2
    with pytest.raises(ConfigurationError, match=r"weights 'hat-1': there is no frame 'ear'\. There is: whole"):
        dataclasses.replace(FAMILY, weights=(ear,))


def test_weights_of_two_attributes_may_be_first_for_a_verb_each() -> None:
    boots = AttributeSpec("boots", "Boots")
    first = dataclasses.replace(WEIGHTS, verbs=("remove", "transfer"), first_for=("remove",))
    weights = (first, dataclasses.replace(first, id="other", attributes=("boots",)))
    family = dataclasses.replace(FAMILY, attributes=(*FAMILY.attributes, boots), weights=weights)
    assert [spec.id for spec in weights_for(family, "boots", verb="remove")] == ["other"]


@pytest.mark.parametrize("noun", ["face", "left-hand glove", "Bild", "Tür"])
def test_a_noun_is_words(noun: str) -> None:
    assert dataclasses.replace(FAMILY, noun=noun).noun == noun
    assert FAMILY.noun == "thing"


@given(st.dictionaries(st.sampled_from("ABC"), st.booleans(), min_size=3))
def test_rules_are_any_of_all_of(labels: dict[str, bool]) -> None:
    rule = (("A", "!B"), ("C",))
    assert rule_holds(rule, labels) == ((labels["A"] and not labels["B"]) or labels["C"])
    assert not rule_holds((), labels)


TIE = AttributeSpec("tie", "Tie", with_rule=(("Tie",),), without_rule=(("!Tie",),), balance=("Young", "Hat"))
HATTED = dataclasses.replace(
    HAT, with_rule=(("Hat",), ("Cap",)), without_rule=(("!Hat", "!Cap"),), balance=("Male", "Young", "Tie")
)


@given(st.fixed_dictionaries(dict.fromkeys(("Hat", "Cap", "Tie"), st.booleans())))
def test_pictures_of_a_pair_show_one_attribute_and_not_the_other(labels: dict[str, bool]) -> None:
    pair = HATTED.against(TIE)
    hatted = rule_holds(HATTED.with_rule, labels)
    assert rule_holds(pair.with_rule, labels) == (hatted and not labels["Tie"])
    assert rule_holds(pair.without_rule, labels) == (labels["Tie"] and not hatted)


def test_a_pair_is_balanced_in_what_neither_side_is_chosen_by() -> None:
    pair = HATTED.against(TIE)
    assert (pair.name, pair.title, pair.aliases) == (HAT.name, HAT.title, HAT.aliases)
    assert pair.balance == ("Male", "Young")


def test_a_pair_stretches_each_side_as_its_own_attribute_says() -> None:
    wide, tall, flat = Layout(width=(0.5, 1)), Layout(height=(0.5, 1)), Layout(height=(1, 2))
    hat = dataclasses.replace(HATTED, with_layout=wide, without_layout=flat)
    pair = hat.against(dataclasses.replace(TIE, with_layout=tall))
    assert (pair.with_layout, pair.without_layout) == (wide, tall)
    pair = hat.against(TIE)
    assert (pair.with_layout, pair.without_layout) == (wide, flat)


def test_contradictory_alternatives_of_a_pair_are_left_out() -> None:
    bald = AttributeSpec("bald", "Bald", with_rule=(("Bald", "!Hat"),), without_rule=(("!Bald",), ("Wig",)))
    pair = HATTED.against(bald)
    assert pair.with_rule == (("Hat", "!Bald"), ("Hat", "Wig"), ("Cap", "!Bald"), ("Cap", "Wig"))
    assert pair.without_rule == (("!Hat", "!Cap", "Bald"),)


def test_a_pair_that_no_picture_can_show_is_refused() -> None:
    same = dataclasses.replace(HATTED, name="headgear", aliases=())
    with pytest.raises(ConfigurationError, match="no picture can show one of hat and headgear without the other"):
        HATTED.against(same)


def test_attributes_without_rules_pair_for_folders() -> None:
    pair = HAT.against(AttributeSpec("boot", "Boot"))
    assert (pair.with_rule, pair.without_rule) == ((), ())


def test_the_whole_room_imports_no_torch() -> None:
    code = """if True:
        import sys
        import mbu_ops.families, mbu_ops.methods, mbu_ops.weights
        mbu_ops.families.families(), mbu_ops.families.broken(), mbu_ops.methods.method_names()
        assert "torch" not in sys.modules and "numpy" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["faces", "handbags"])
def test_a_family_is_the_same_when_it_is_written_down_and_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, package = get_family(name), tmp_path / f"written_{name}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "family.json").write_text(family_json(family), encoding="utf-8")
    listed = resources.files(f"mbu_ops_{name}").joinpath("weights.json").read_bytes()
    (package / "weights.json").write_bytes(listed)
    monkeypatch.syspath_prepend(tmp_path)
    assert read_family(package.name) == family
