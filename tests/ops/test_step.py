from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbu_ops.errors import ChainSyntaxError
from mbu_ops.ops.step import StepSpec, is_weights_path
from mbu_ops.ops.verbs import get_verb, verb_names

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
# what a file name may hold, but for the beginning of an option
FILES = st.text(string.ascii_letters + string.digits + " ./-_:@,'\"#é", min_size=1, max_size=20).filter(
    lambda text: text.strip() != ""
)
PATHS = FILES.map(lambda text: "./" + text.replace("@", ""))
UNIT = st.floats(0, 1, allow_nan=False)
INDEX = st.integers(0, 999_999)


def values(key: str) -> st.SearchStrategy[object]:
    if key == "guide":
        return INDEX
    if key == "dilation":
        return st.integers(0, 64)
    if key == "to":
        return st.one_of(INDEX, FILES.map(lambda text: "./" + text))
    return NAMES if key in {"method", "content"} else UNIT


@st.composite
def steps(draw: st.DrawFn, verbs: tuple[str, ...] = verb_names()) -> StepSpec:
    verb = draw(st.sampled_from(verbs))
    is_path = draw(st.booleans())
    attribute = draw(PATHS if is_path else NAMES)
    family = None if is_path else draw(st.none() | NAMES)
    guide = draw(st.none() | FILES) if get_verb(verb).guides else None
    keys = draw(st.permutations([key for key in get_verb(verb).accepts if guide is None or key != "guide"]))
    keys = keys[: draw(st.integers(0, len(keys)))]
    if verb == "interpolate" and "to" not in keys:
        keys.append("to")
    return StepSpec(verb, family, attribute, guide, tuple((key, draw(values(key))) for key in keys))


@given(steps())
def test_text_reads_back_as_the_same_step(step: StepSpec) -> None:
    again = StepSpec.parse(str(step))
    assert again == step
    assert str(again) == str(step)


@given(st.text(max_size=40))
def test_any_text_is_a_step_or_a_syntax_error_with_a_caret(text: str) -> None:
    try:
        step = StepSpec.parse(text)
    except ChainSyntaxError as error:
        assert str(error).rstrip(" ").endswith("^")  # noqa: PT017 - either outcome is right
    else:
        assert StepSpec.parse(str(step)) == step


def test_every_part() -> None:
    step = StepSpec.parse("add:faces/glasses@dir/my, ref@2x:a.jpg,threshold=0.10,softness=1,method=mbu")
    assert (step.verb, step.family, step.attribute) == ("add", "faces", "glasses")
    assert step.guide == "dir/my, ref@2x:a.jpg"
    assert step.options == (("threshold", 0.1), ("softness", 1.0), ("method", "mbu"))


def test_interpolate_takes_a_picture_or_a_number() -> None:
    assert StepSpec.parse("interpolate:smile,guide=1,to=3,amount=0.25").options == (
        ("guide", 1),
        ("to", 3),
        ("amount", 0.25),
    )
    assert StepSpec.parse("interpolate:smile@a.jpg,to=b,c.jpg").options == (("to", "b,c.jpg"),)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("glasses", False),
        ("faces/glasses", False),
        ("./hats", True),
        ("/tmp/hats", True),
        ("a/b/c", True),
        ("hats.safetensors", True),
    ],
)
def test_paths_are_told_from_names(attribute: str, expected: bool) -> None:
    assert is_weights_path(attribute) is expected
    assert StepSpec.parse(f"remove:{attribute}").attribute == (attribute if expected else attribute.split("/")[-1])


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "expected verb:attribute"),
        ("remove", 6, "expected verb:attribute"),
        ("ad:glasses", 0, "Did you mean 'add'"),
        ("paint:glasses", 0, "There is: add, adjust, interpolate, remove, segment, swap, translate"),
        ("remove:", 7, "expected an attribute"),
        ("remove:Glasses", 7, "expected an attribute"),
        ("remove:gla sses", 10, "expected an attribute"),
        ("remove:glasses,threshold", 14, "expected an attribute"),
        ("remove:glasses@ref.jpg", 14, "remove takes no guide"),
        ("add:glasses@", 12, "path of a guide picture"),
        ("add:glasses@,guide=1", 12, "path of a guide picture"),
        ("add:glasses,treshold=0.1", 12, "Did you mean 'threshold'"),
        ("remove:glasses,guide=1", 15, "remove has no option 'guide'"),
        ("segment:glasses,softness=1", 16, "segment has no option 'softness'"),
        ("add:glasses,dilation=1", 12, "add has no option 'dilation'"),
        ("remove:glasses,dilation=65", 24, "a whole number from 0 to 64"),
        ("add:glasses,threshold=2", 22, "a number from 0 to 1"),
        ("add:glasses,threshold=nan", 22, "a number from 0 to 1"),
        ("add:glasses,guide=-1", 18, "a whole number"),
        ("add:glasses,guide=1.5", 18, "a whole number"),
        ("add:glasses,guide=99999999999999999999", 18, "a whole number"),
        ("add:glasses,method=../x", 19, "the name of a method"),
        ("add:glasses,guide=1,guide=2", 20, "given twice"),
        ("add:glasses@ref.jpg,guide=2", 20, "got both"),
        ("interpolate:smile@a.jpg", 23, "second guide"),
        ("interpolate:smile@a.jpg,to=", 27, "a picture"),
    ],
)
def test_errors_point_at_the_character(text: str, column: int, message: str) -> None:
    with pytest.raises(ChainSyntaxError, match="(?s)" + message) as caught:
        StepSpec.parse(text)
    first, shown, caret = str(caught.value).rsplit("\n", 2)
    assert first
    assert shown == "  " + text
    assert caret == "  " + " " * column + "^"


@pytest.mark.parametrize(
    "parts",
    [
        ("add", None, "glasses", "a.jpg,threshold=1", ()),
        ("add", None, "gl@sses", None, ()),
        ("add", "faces", "./hats", None, ()),
        ("add", None, "faces/glasses", None, ()),
        ("add", None, "glasses", None, (("guide", True),)),
        ("add", None, "glasses", None, (("threshold", "0.1"),)),
        ("add", None, "glasses", None, (("guide", None),)),
        ("add", None, "glasses", "", ()),
    ],
)
def test_parts_that_no_text_means_are_refused(parts: Any) -> None:
    with pytest.raises(ChainSyntaxError):
        StepSpec(*parts)


def test_numbers_take_the_type_the_text_would_give() -> None:
    step = StepSpec("add", None, "glasses", None, (("threshold", 1),))
    assert str(step) == "add:glasses,threshold=1.0"
