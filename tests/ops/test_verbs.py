"""Each verb is declared once: what a record must be, what follows from it, and records that plugins bring."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import mbu_ops
from mbu_ops.errors import ChainSyntaxError, ConfigurationError, MBUOpsError, UnsupportedVerbError, WeightsError
from mbu_ops.ops import ChainSpec
from mbu_ops.ops.options import Option, index, number, path_or_index, pixels
from mbu_ops.ops.plan import op_class
from mbu_ops.ops.redraw import Redraw
from mbu_ops.ops.step import StepSpec
from mbu_ops.ops.verb_description import read_verb
from mbu_ops.ops.verbs import Verb, get_verb, grammar_words, name_hint, verb_names, verbs
from mbu_ops.testing import tiny_didd, tiny_maae, tiny_mbu
from mbu_ops.weights import WeightsInfo, save

Install = Callable[..., Path]
ROOT = Path(__file__).parents[2]
BUILT_IN = ("add", "remove", "swap", "interpolate", "adjust", "translate", "segment")
PAINT = Verb("paint", "some_ops:Paint", "paint it over", "paint:hat")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("some_", "my_package")):
            del sys.modules[name]


def save_tiny(folder: Path, model: nn.Module, attributes: tuple[str, ...] = ("hat",)) -> Path:
    folder.mkdir()
    content = model.for_content(0) if len(attributes) > 1 else model
    with torch.no_grad():
        codes = content.encode_guide(torch.rand(2, 3, 16, 16))
    if len(attributes) > 1:
        codes = torch.stack([codes] * len(attributes), 1)
    info = WeightsInfo(model.info.name, model.config_to_dict(model.config), 16, None, attributes, "public domain")
    save(folder / "weights.safetensors", model, info, codes, dtype=torch.float32)
    return folder


@pytest.fixture
def hats(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "hats", tiny_mbu())


def able(verb: Verb) -> nn.Module:
    """A tiny network that can do a verb."""
    return {"adjust": tiny_maae, "translate": lambda: tiny_didd().for_content(0)}.get(verb.name, tiny_mbu)().eval()


# -- the built-in ones ------------------------------------------------------------------------------------------------


def test_the_built_in_verbs_are_there() -> None:
    assert set(BUILT_IN) <= set(verb_names())
    assert tuple(verb.name for verb in verbs())[: len(BUILT_IN)] == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_record_tells_the_truth_about_its_op(name: str) -> None:
    verb = get_verb(name)
    op = op_class(verb)
    assert (op.__name__, op.verb, op.makes_mask) == (verb.op_name, verb.call, verb.makes_mask)
    for package in (mbu_ops, mbu_ops.ops):
        assert verb.op_name in package.__all__
        assert getattr(package, verb.op_name) is op


@pytest.mark.parametrize("name", BUILT_IN)
def test_examples_are_steps_of_their_verb(name: str) -> None:
    assert StepSpec.parse(get_verb(name).example).verb == name


@pytest.mark.parametrize("name", BUILT_IN)
def test_functions_are_those_that_the_op_calls(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verb = get_verb(name)
    model, called = able(verb), set()

    def spy(function: str, does: Callable[..., object], *args: object) -> object:
        called.add(function)
        return does(*args)

    for function in ("transfer", "remove", "segment", "translate", "swap", "adjust"):
        if hasattr(model, function):
            monkeypatch.setattr(model, function, partial(spy, function, getattr(model, function)))
    codes = [torch.rand(1, *model.code_shape)] * verb.guides
    op_class(verb).for_step(model, {}, codes).edit(torch.rand(1, 3, 20, 24))
    assert called == set(model.info.functions(verb.call)) - {"encode_guide"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_options_are_settings_and_the_defaults_what_they_say(name: str) -> None:
    verb = get_verb(name)
    model, image = able(verb), torch.rand(1, 3, 20, 24)
    codes = [torch.rand(1, *model.code_shape) for _ in range(verb.guides)]
    usual = op_class(verb).for_step(model, {}, codes)(image)
    others = {"threshold": 0.45, "softness": 0.9, "detail": 0.0, "dilation": 9, "amount": 0.0, "strength": -0.3}
    for option in verb.options:
        if option.name == "presence":  # only weights that hold a detector can be told: tests/ops/test_presence.py
            continue
        if re.fullmatch(r"[0-9.]+", option.default_text):
            said = {option.name: option.kind(option.default_text)}
            assert torch.equal(op_class(verb).for_step(model, said, codes)(image), usual), option.name
        other = op_class(verb).for_step(model, {option.name: others[option.name]}, codes)(image)
        assert not torch.equal(other, usual), option.name


def test_an_option_that_is_no_setting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Remove has no setting 'colour'"):
        mbu_ops.Remove.for_step(tiny_mbu(), {"colour": 1}, [])


def test_kinds_say_what_they_expect() -> None:
    for kind, text, expected in (
        (number(-1, 1), "2", "a number from -1 to 1"),
        (index, "-1", "a whole number from 0"),
        (pixels, "65", "a whole number from 0 to 64"),
        (path_or_index, "", "a picture, or the number"),
    ):
        with pytest.raises(ValueError, match=expected):
            kind(text)


# -- words ------------------------------------------------------------------------------------------------------------


def test_a_class_named_after_its_word_is_told() -> None:
    for package in (mbu_ops, mbu_ops.ops):
        with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Add': .* is Transfer"):
            _ = package.Add
    assert name_hint("Swap") == name_hint("Teapot") == name_hint("Transfer") == ""


def test_methods_verbs_in_the_words_of_the_grammar() -> None:
    assert grammar_words({"transfer", "remove", "mix"}) == ["add", "mix", "remove"]


def test_errors_of_a_step_use_its_word(hats: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedVerbError) as caught:
        mbu_ops.chain(f"translate:{hats}")
    assert str(caught.value) == (
        "expected a method that can translate, got mbu, which can add, interpolate, remove, segment, swap"
    )
    monkeypatch.setattr(
        mbu_ops.methods.mbu.MBU, "info", dataclasses.replace(mbu_ops.methods.mbu.MBU.info, verbs=frozenset({"remove"}))
    )
    with pytest.raises(UnsupportedVerbError, match="expected a method that can add, got mbu, which can remove"):
        mbu_ops.chain(f"add:{hats}")
    with pytest.raises(WeightsError, match="no weights for faces/hair that can add;"):
        ChainSpec.parse("add:hair").plan()


def test_a_missing_default_guide_is_told_by_the_step(tmp_path: Path) -> None:
    model = tiny_mbu()
    info = WeightsInfo("mbu", model.config_to_dict(model.config), 16, None, ("hat",), "public domain")
    save(tmp_path / "bare.safetensors", model, info, None, dtype=torch.float32)
    with pytest.raises(WeightsError, match=r"name a picture, as in swap:.*bare\.safetensors@guide\.jpg"):
        ChainSpec.parse(f"swap:{tmp_path}/bare.safetensors").plan()


# -- malformed records ------------------------------------------------------------------------------------------------

RADIUS = Option("radius", number(0, 9), "how far")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "Paint", "a verb's name of lower-case letters"),
        ("name", None, "a verb's name of lower-case letters"),
        ("op", "some_ops.Paint", "expected op to be 'module:Class'"),
        ("op", None, "expected op to be 'module:Class'"),
        ("help", "", "expected help as one printable line"),
        ("help", "two\nlines", "expected help as one printable line"),
        ("example", "draw:hat", "a step such as paint:glasses"),
        ("example", 3, "expected example as one printable line"),
        ("call", "Transfer", "a method's verb"),
        ("guides", 3, "0, 1 or 2"),
        ("guides", True, "0, 1 or 2"),
        ("result", "sound", "'image' or 'mask'"),
        ("options", [RADIUS], "a tuple of Option"),
        ("options", ("radius",), "a tuple of Option"),
        ("options", (RADIUS, RADIUS), "'radius' is there twice"),
        ("options", (dataclasses.replace(RADIUS, name="content"),), "'content' belongs to the grammar"),
        ("joins", 1, "expected joins to be True only for"),
    ],
)
def test_malformed_records_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        dataclasses.replace(PAINT, **{field: value})


@pytest.mark.parametrize("other", [{"result": "mask"}, {"guides": 2}])
def test_only_what_a_pass_can_do_joins(other: dict[str, object]) -> None:
    assert dataclasses.replace(PAINT, joins=True, guides=1).joins
    with pytest.raises(ConfigurationError, match="True only for a verb that makes an image from at most one guide"):
        dataclasses.replace(PAINT, joins=True, **other)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "radius2", "letters and underscores"),  # the grammar would not see where the option begins
        ("name", None, "letters and underscores"),
        ("kind", "number", "a function that reads a text"),
        ("help", "", "help as one printable line"),
        ("default_text", "a\tb", "default_text as one printable line"),
    ],
)
def test_malformed_options_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        dataclasses.replace(RADIUS, **{field: value})


# -- verbs of plugins -------------------------------------------------------------------------------------------------

RECORD = """
from mbu_ops.ops.verbs import Verb
from mbu_ops.ops.options import Option, number
verb = Verb({fields})
"""
FIELDS = "'paint', 'some_ops:Paint', 'paint it over', 'paint:hat'"
ENTRY = "[mbu_ops.verbs]\npaint = some_verbs:verb\n"


def test_a_plugin_brings_a_verb(install: Install) -> None:
    install("painting", ENTRY, {"some_verbs": RECORD.format(fields=FIELDS)})
    assert "paint" in verb_names()
    assert "some_verbs" not in sys.modules, "listing names imports nothing"
    assert ChainSpec.parse("remove:smile add:glasses").steps
    assert "some_verbs" not in sys.modules, "built-in verbs ask no plugin"
    assert get_verb("paint") == PAINT
    assert verbs()[len(BUILT_IN) :] == (PAINT,)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("verb = 'paint'", r"some_verbs:verb is not a mbu_ops\.ops\.verbs\.Verb"),
        ("other = 1", "has no attribute 'verb'"),
        (RECORD.format(fields=FIELDS.replace("paint:hat", "draw:hat")), "expected example to be a step such as"),
        (RECORD.format(fields=FIELDS.replace("paint", "draw")), "is the verb 'draw'; give its entry point that name"),
    ],
)
def test_a_broken_plugin_costs_only_itself(
    code: str, reason: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("painting", ENTRY, {"some_verbs": code})
    with pytest.raises(ConfigurationError, match=f"verb 'paint': .*'painting' cannot be used: .*{reason}"):
        get_verb("paint")
    with pytest.raises(ChainSyntaxError, match=f"(?s)'painting' cannot be used: .*{reason}.*\\^$"):
        StepSpec.parse("paint:hat")
    assert tuple(verb.name for verb in verbs()) == BUILT_IN
    assert re.search(reason, caplog.text)


DESCRIBED = {
    "op": "some_ops:Paint",
    "help": "paint it over",
    "example": "paint:hat",
    "call": "segment",
    "options": [
        {"name": "amount", "kind": {"number": [0, 2]}, "help": "how much", "default_text": "1"},
        {"name": "width", "kind": "pixels", "help": "how wide"},
        {"name": "layer", "kind": "index", "help": "which"},
        {"name": "pattern", "kind": "path_or_index", "help": "a picture"},
        {"name": "colour", "kind": {"name_of": "colour"}, "help": "which colour"},
    ],
}


def describe(install: Install, verbs_json: object, module: str = "raise SystemExit('imported')") -> None:
    """Install a plugin that describes its verb beside code that must not run."""
    package = install("painting", "[mbu_ops.verbs]\npaint = some_paints:verb\n").parent / "some_paints"
    package.mkdir()
    (package / "__init__.py").write_text(module)
    text = verbs_json if isinstance(verbs_json, str) else json.dumps(verbs_json)
    (package / "verbs.json").write_text(text)


def test_a_described_verb_is_known_without_its_code(install: Install) -> None:
    describe(install, {"paint": DESCRIBED})
    verb = get_verb("paint")
    assert verbs()[len(BUILT_IN) :] == (verb,)
    assert (verb.name, verb.op, verb.call, verb.guides, verb.result) == (
        "paint",
        "some_ops:Paint",
        "segment",
        0,
        "image",
    )
    assert [(option.name, option.help) for option in verb.options][:2] == [
        ("amount", "how much"),
        ("width", "how wide"),
    ]
    step = StepSpec.parse("paint:hat,amount=1.5,width=3,layer=2,pattern=a.png,colour=red")
    assert dict(step.options) == {"amount": 1.5, "width": 3, "layer": 2, "pattern": "a.png", "colour": "red"}
    with pytest.raises(ChainSyntaxError, match="a number from 0 to 2"):
        StepSpec.parse("paint:hat,amount=3")
    with pytest.raises(ChainSyntaxError, match="the name of a colour"):
        StepSpec.parse("paint:hat,colour=Red!")
    assert "some_paints" not in sys.modules


def test_code_may_read_the_description(install: Install) -> None:
    describe(
        install,
        {"paint": DESCRIBED},
        "from mbu_ops.ops.verb_description import read_verb\nverb = read_verb(__name__, 'paint')",
    )
    assert importlib.import_module("some_paints").verb == get_verb("paint")


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ("[]", r"some_paints/verbs\.json: it is not a JSON object"),
        ({}, "it says nothing of the verb 'paint'"),
        ({"paint": DESCRIBED | {"ops": "x"}}, "'ops' is no field"),
        ({"paint": {"op": "some_ops:Paint", "help": "paint it over"}}, "example is missing"),
        ({"paint": DESCRIBED | {"result": "sound"}}, "expected 'image' or 'mask', got 'sound'"),
        ({"paint": DESCRIBED | {"guides": "1"}}, "guides: expected int, got '1'"),
        ({"paint": DESCRIBED | {"example": "draw:hat"}}, "expected example to be a step such as"),
        ({"paint": DESCRIBED | {"name": "draw"}}, "'name' is no field"),
        *(
            (
                {"paint": DESCRIBED | {"options": [{"name": "a", "help": "b", "kind": kind}]}},
                r"options\[0\]: kind: expected",
            )
            for kind in ("number", "os:system", {"number": [2, 1]}, {"number": [0, True]}, {"name_of": 3}, {}, None, 7)
        ),
    ],
)
def test_a_malformed_description_costs_only_its_verb(
    described: object, reason: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    describe(install, described)
    with pytest.raises(ConfigurationError, match=f"verb 'paint': .*'painting' cannot be used: .*{reason}"):
        get_verb("paint")
    assert tuple(verb.name for verb in verbs()) == BUILT_IN
    assert re.search(reason, caplog.text)
    assert "some_paints" not in sys.modules


def test_a_name_claimed_twice_serves_neither(install: Install) -> None:
    install("painting", ENTRY, {"some_verbs": RECORD.format(fields=FIELDS)})
    install("drawing", ENTRY)
    assert "paint" not in verb_names()
    with pytest.raises(ConfigurationError, match="'drawing' and 'painting' claim the same name"):
        get_verb("paint")


def test_a_built_in_verb_cannot_be_replaced(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    before = get_verb("add")
    fields = FIELDS.replace("paint", "add")
    install("impostor", "[mbu_ops.verbs]\nadd = some_verbs:verb\n", {"some_verbs": RECORD.format(fields=fields)})
    assert get_verb("add") is before
    assert tuple(verb.name for verb in verbs()) == BUILT_IN
    assert "'impostor' cannot be used: a built-in verb has this name" in caplog.text
    assert "some_verbs" not in sys.modules


def test_the_switch_turns_others_off(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("painting", ENTRY, {"some_verbs": RECORD.format(fields=FIELDS)})
    monkeypatch.setenv("MBU_OPS_PLUGINS", "")
    assert verb_names() == tuple(sorted(BUILT_IN))
    with pytest.raises(ChainSyntaxError, match="there is no verb 'paint'"):
        StepSpec.parse("paint:hat")


@pytest.mark.parametrize(
    ("more", "text", "message"),
    [
        ("result='mask'", "paint:hat remove:hat", "'remove:' needs an image: put paint last"),
        ("guides=2", "paint:hat@a.jpg", "paint needs a second guide: ,to="),
        ("guides=0", "paint:hat@a.jpg", "paint takes no guide; only add, interpolate, swap, translate do"),
        ("guides=1", "remove:hat@a.jpg", "remove takes no guide; only add, interpolate, paint, swap, translate do"),
        ("options=(Option('radius', number(0, 9), 'how far'),)", "paint:hat,radius=10", "a number from 0 to 9"),
        ("options=(Option('radius', number(0, 9), 'how far'),)", "paint:hat,radios=1", "Did you mean 'radius'"),
    ],
)
def test_the_grammar_follows_the_record(more: str, text: str, message: str, install: Install) -> None:
    install("painting", ENTRY, {"some_verbs": RECORD.format(fields=f"{FIELDS}, {more}")})
    with pytest.raises(ChainSyntaxError, match=message):
        ChainSpec.parse(text)


def test_a_mask_of_a_plugins_verb_is_a_mask(install: Install) -> None:
    install("painting", ENTRY, {"some_verbs": RECORD.format(fields=f"{FIELDS}, result='mask'")})
    assert ChainSpec.parse("remove:hat paint:hat").makes_mask
    assert not ChainSpec.parse("remove:hat").makes_mask


OPS = """
from mbu_ops.ops import Remove, Segment
class Paint(Remove):
    verb = "paint"
class Other:
    pass
raised = Segment
"""


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        ("some_ops:Missing", "cannot be used: AttributeError"),
        ("no_such_ops:Paint", "cannot be used: ModuleNotFoundError"),
        ("some_ops:Other", r"to be a subclass of mbu_ops\.ops\.Op"),
        ("some_ops:raised", r"with \(verb, makes_mask\) = \('remove', False\), .* got \('segment', True\)"),
    ],
)
def test_an_op_that_does_not_fit_its_record_is_told(op: str, reason: str, install: Install, hats: Path) -> None:
    fields = FIELDS.replace("some_ops:Paint", op) + ", call='remove'"
    install("painting", ENTRY, {"some_verbs": RECORD.format(fields=fields), "some_ops": OPS})
    with pytest.raises(ConfigurationError, match=f"verb 'paint': .*{reason}"):
        mbu_ops.chain(f"paint:{hats}")


def test_a_plugins_verb_joins_a_pass(install: Install, tmp_path: Path) -> None:
    fields = "'paint', 'mbu_ops.ops.transfer:Transfer', 'add', 'paint:hat', call='transfer', guides=1, joins=True"
    install("painting", ENTRY, {"some_verbs": RECORD.format(fields=fields)})
    pair = save_tiny(tmp_path / "pair", tiny_didd(), ("hat", "tie"))
    module = mbu_ops.chain(f"remove:{pair},content=tie paint:{pair},content=hat")
    assert [type(step) for step in module.steps] == [Redraw]
    image = torch.rand(1, 3, 20, 24)
    same = mbu_ops.chain(f"remove:{pair},content=tie add:{pair},content=hat")
    assert torch.equal(module(image), same(image))


@pytest.fixture
def soften(install: Install, tmp_path: Path) -> None:
    """The verb that docs/plugins.md writes, installed as it says."""
    page = (
        (ROOT / "docs/plugins.md")
        .read_text(encoding="utf-8")
        .partition("## A verb of your own")[2]
        .partition("\n## ")[0]
    )
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    ((toml,), (record, op)) = ([text for kind, text in blocks if kind == wanted] for wanted in ("toml", "python"))
    entry = toml.replace('project.entry-points."mbu_ops.verbs"', "mbu_ops.verbs").replace('"', "")
    (tmp_path / "site" / "my_package").mkdir()
    install("softening", entry, {"my_package/verb": record, "my_package/op": op})


@pytest.mark.usefixtures("soften")
def test_the_description_of_the_documentation_says_the_same(install: Install) -> None:
    page = (ROOT / "docs/plugins.md").read_text(encoding="utf-8").partition("## A verb of your own")[2]
    described = page.partition("```json\n")[2].partition("```")[0]
    written = get_verb("soften")
    package = install("other", "").parent / "some_softening"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "verbs.json").write_text(described)
    assert read_verb("some_softening", "soften") == written


@pytest.mark.usefixtures("soften")
def test_the_verb_of_the_documentation_works(hats: Path) -> None:
    text = f"remove:{hats} soften:{hats},strength=0.5"
    spec = ChainSpec.parse(text)
    assert ChainSpec.from_json(spec.to_json()) == spec
    assert str(spec) == text
    assert "torch" not in str(sys.modules["my_package.verb"].__dict__.keys())
    image = torch.rand(2, 3, 20, 24, requires_grad=True)
    removed, softened = mbu_ops.chain(text).edits(image)
    mask = 0.5 * mbu_ops.chain(f"segment:{hats}")(removed.image)
    torch.testing.assert_close(softened.mask, mask)
    assert not torch.equal(softened.image, removed.image)
    softened.image.sum().backward()
    assert image.grad.abs().sum() > 0
    with pytest.raises(ChainSyntaxError, match="Did you mean 'soften'"):
        ChainSpec.parse("sofen:hat")
    with pytest.raises(MBUOpsError, match="strength must be a number from 0 to 1"):
        ChainSpec.parse("soften:hat,strength=2")


def test_the_table_of_the_documentation_is_up_to_date() -> None:
    subprocess.run([sys.executable, ROOT / "tools/generate_verb_docs.py", "--check"], cwd=ROOT, check=True)
