"""Specs become modules: the right weights, once each, the right guides, and a clear word where they are not there."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import mbu_ops
from mbu_ops.errors import (
    ConfigurationError,
    FamilyError,
    ImageFileError,
    MBUOpsError,
    UnsupportedVerbError,
    WeightsError,
)
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.ops.plan import weights_name
from mbu_ops.ops.redraw import Redraw
from mbu_ops.testing import tiny_didd, tiny_maae, tiny_mbu
from mbu_ops.weights import WeightsInfo, load, save


def save_tiny(folder: Path, guides: int) -> Path:
    model = tiny_mbu()
    with torch.no_grad():
        codes = model.encode_guide(torch.rand(guides, 3, 16, 16)) if guides else None
    info = WeightsInfo(
        method="mbu",
        config=dataclasses.asdict(model.config),
        family=None,
        attributes=("hat",),
        resolution=16,
        licence="public domain",
    )
    folder.mkdir()
    save(folder / "weights.safetensors", model, info, codes, dtype=torch.float32)
    return folder


@pytest.fixture(scope="module")
def hats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("weights") / "hats", 3)


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, 20, 24)


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    path = tmp_path / "guide.png"
    Image.effect_noise((18, 14), 90).convert("RGB").save(path)
    return path


def test_each_verb_is_the_op_it_names(hats: Path, image: Tensor) -> None:
    loaded = load(hats / "weights.safetensors")
    code = loaded.guides[:1]
    expected = {
        "add": mbu_ops.Transfer(loaded.model).edit_code(image, code).image,
        "swap": mbu_ops.Swap(loaded.model).edit_code(image, code).image,
        "remove": mbu_ops.Remove(loaded.model)(image),
        "segment": mbu_ops.Segment(loaded.model)(image),
        "add,guide=2": mbu_ops.Transfer(loaded.model).edit_code(image, loaded.guides[2:]).image,
        "remove,threshold=0.5,softness=0.25": mbu_ops.Remove(
            loaded.model, mbu_ops.ops.Look(threshold=0.5, softness=0.25)
        )(image),
        "segment,threshold=0.5": mbu_ops.Segment(loaded.model, 0.5)(image),
        "interpolate,guide=1,to=2,amount=0.25": mbu_ops.Transfer(loaded.model)
        .edit_code(image, 0.75 * loaded.guides[1:2] + 0.25 * loaded.guides[2:])
        .image,
    }
    for text, result in expected.items():
        verb, comma, options = text.partition(",")
        torch.testing.assert_close(mbu_ops.chain([f"{verb}:{hats}{comma}{options}"])(image), result)


def test_a_chain_is_its_steps_in_order(hats: Path, image: Tensor) -> None:
    whole = mbu_ops.chain(f"remove:{hats} add:{hats},guide=1")
    first, second = mbu_ops.chain(f"remove:{hats}"), mbu_ops.chain(f"add:{hats},guide=1")
    torch.testing.assert_close(whole(image), second(first(image)))
    assert [tuple(edit.image.shape) for edit in whole.edits(image)] == [(2, 3, 20, 24)] * 2


def test_weights_of_several_steps_are_loaded_once(hats: Path) -> None:
    module = mbu_ops.chain(f"remove:{hats} add:{hats} segment:{hats}/weights.safetensors")
    models = {id(step.model if hasattr(step, "model") else step.op.model) for step in module.steps}
    assert len(models) == 1
    assert not any(part.training for part in module.modules())


def test_a_guide_is_a_path_in_the_step_or_a_path_or_tensor_beside_it(hats: Path, image: Tensor, guide: Path) -> None:
    pixels = torch.from_numpy(np.array(Image.open(guide))).permute(2, 0, 1)[None] / 255
    expected = mbu_ops.Transfer(load(hats / "weights.safetensors").model)(image, pixels)
    for module in (
        mbu_ops.chain([f"add:{hats}@{guide}"]),
        mbu_ops.chain([f"add:{hats}"], guides={str(hats): guide}),
        mbu_ops.chain([f"add:{hats}"], guides={str(hats): str(guide)}),
        mbu_ops.chain([f"add:{hats}"], guides={str(hats): pixels}),
    ):
        torch.testing.assert_close(module(image), expected)


def test_gradients_reach_the_image(hats: Path) -> None:
    image = torch.rand(1, 3, 20, 24, requires_grad=True)
    mbu_ops.chain(f"remove:{hats} add:{hats}")(image).sum().backward()
    assert image.grad.abs().sum() > 0


def test_weights_are_frozen_unless_they_are_to_be_trained(hats: Path, image: Tensor) -> None:
    fast = mbu_ops.chain(f"remove:{hats} add:{hats}")
    assert not any(weight.requires_grad for weight in fast.parameters())
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in fast.modules())
    whole = mbu_ops.chain(f"remove:{hats} add:{hats}", trainable=True)
    assert type(whole.steps[0].model) is mbu_ops.methods.mbu.MBU
    whole(image).sum().backward()
    assert whole.steps[0].model.common_encoder[0].weight.grad.abs().sum() > 0
    torch.testing.assert_close(fast(image), whole(image), rtol=0, atol=1e-4)


def test_compiled_on_demand(hats: Path, image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    torch.compiler.reset()
    counter = torch._dynamo.utils.counters
    counter.clear()
    module = mbu_ops.chain(f"remove:{hats} add:{hats}", compile=True)
    assert not counter["stats"]
    torch.testing.assert_close(module(image), mbu_ops.chain(f"remove:{hats} add:{hats}")(image))
    assert counter["stats"]["unique_graphs"] == 2


def test_a_method_without_a_fast_form_is_used_as_it_is(
    hats: Path, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = mbu_ops.chain(f"remove:{hats}")(image)
    monkeypatch.setattr(mbu_ops.methods.mbu.MBU, "inference", None)
    module = mbu_ops.chain(f"remove:{hats}")
    assert type(module.steps[0].model) is mbu_ops.methods.mbu.MBU
    torch.testing.assert_close(module(image), expected)


def test_number_type_and_device_of_the_networks(hats: Path, image: Tensor) -> None:
    module = mbu_ops.chain(f"add:{hats}", device="cpu", dtype=torch.float64)
    assert {value.dtype for value in module.parameters()} == {torch.float64}
    assert module(image).dtype == torch.float32


def test_names() -> None:
    assert weights_name("smiling", "faces") == "faces/smile"
    assert weights_name("faces/beard", "elsewhere") == "faces/facial_hair"
    assert weights_name("./hats", "faces") == "./hats"
    with pytest.raises(FamilyError, match="Did you mean 'smile'"):
        weights_name("smil", "faces")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("add:{hats},guide=3", WeightsError, "0 to 2"),
        ("interpolate:{hats},to=7", WeightsError, "0 to 2"),
        ("add:{bare}", WeightsError, "no default guide"),
        ("add:{hats}@missing.jpg", ImageFileError, "missing.jpg"),
        ("interpolate:{hats},to=missing.jpg", ImageFileError, "missing.jpg"),
        ("remove:{hats},method=other", WeightsError, "expected weights of the method 'other'"),
        ("remove:./missing", WeightsError, "missing"),
        ("remove:nobody/hat", FamilyError, "nobody"),
    ],
)
def test_what_is_missing_is_named(text: str, error: type[Exception], message: str, hats: Path, tmp_path: Path) -> None:
    bare = save_tiny(tmp_path / "bare", 0)
    with pytest.raises(error, match=message):
        mbu_ops.chain([text.format(hats=hats, bare=bare)])


def test_weights_without_default_guides_take_a_picture(tmp_path: Path, image: Tensor, guide: Path) -> None:
    bare = save_tiny(tmp_path / "bare", 0)
    assert mbu_ops.chain([f"add:{bare}@{guide}"])(image).shape == image.shape


@pytest.mark.parametrize("step", ["remove:{hats}", "add:{hats},guide=1", "add:{hats}@{guide}"])
def test_a_guide_that_no_step_uses_is_refused(step: str, hats: Path, guide: Path) -> None:
    with pytest.raises(ConfigurationError, match="no step that lacks one"):
        mbu_ops.chain([step.format(hats=hats, guide=guide)], guides={str(hats): guide})


def test_a_plan_says_what_would_be_used(hats: Path, guide: Path) -> None:
    plans = ChainSpec.parse([f"remove:{hats}", f"interpolate:{hats}@{guide},to=2"]).plan()
    assert [plan.path for plan in plans] == [hats / "weights.safetensors"] * 2
    assert plans[0].guides == ()
    assert plans[1].guides[0].pixels.shape == (14, 18, 3)
    assert plans[1].guides[1] == 2


# -- networks of several contents, and dials --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that edits hats and ties, with three default guides of each."""
    folder = tmp_path_factory.mktemp("weights") / "pair"
    folder.mkdir()
    model = tiny_didd()
    with torch.no_grad():
        codes = torch.stack([model.for_content(index).encode_guide(torch.rand(3, 3, 16, 16)) for index in (0, 1)], 1)
    info = WeightsInfo("didd", model.config_to_dict(model.config), 16, None, ("hat", "tie"), "public domain")
    save(folder / "weights.safetensors", model, info, codes, dtype=torch.float32)
    return folder


@pytest.fixture(scope="module")
def dial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "dial"
    folder.mkdir()
    model = tiny_maae()
    info = WeightsInfo("maae", model.config_to_dict(model.config), 16, None, ("hat",), "public domain")
    save(folder / "weights.safetensors", model, info, torch.ones(1, 1, 1, 1), dtype=torch.float32)
    return folder


def passes(module: nn.Module) -> Any:
    """The chain's modules by name, and how often the decoder draws for them."""
    counts = []
    for step in module.steps:
        op = getattr(step, "op", step)
        model = getattr(op.model, "networks", op.model)
        calls: list[Any] = []
        hook = model.decoder.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        step(torch.rand(1, 3, 16, 16))
        hook.remove()
        counts.append(len(calls))
    return counts


def test_steps_on_one_network_of_several_contents_are_one_pass(pair: Path, image: Tensor) -> None:
    chain = [f"remove:{pair},content=tie", f"add:{pair},guide=1,content=hat"]
    module = mbu_ops.chain(chain)
    assert [type(step) for step in module.steps] == [Redraw]
    assert passes(module) == [1]
    loaded = load(pair / "weights.safetensors")
    expected = Redraw(loaded.model, {0: loaded.guides[1:2, 0], 1: None})
    torch.testing.assert_close(module(image), expected(image))
    assert torch.equal(mbu_ops.chain(chain[::-1])(image), module(image)), "one pass has no order"
    assert [step.image.shape for step in module.edits(image)] == [image.shape]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["add:{pair},content=hat", "add:{pair},content=tie"], {0: 0, 1: 0}),
        (["remove:{pair},content=tie", "remove:{pair},content=hat"], {0: None, 1: None}),
        (["add:{pair},guide=2,content=tie", "remove:{pair},content=hat"], {0: None, 1: 2}),
    ],
)
def test_what_one_pass_changes(pair: Path, image: Tensor, steps: list[str], expected: dict[str, Any]) -> None:
    loaded = load(pair / "weights.safetensors")
    codes = {
        index: None if guide is None else loaded.guides[guide : guide + 1, index] for index, guide in expected.items()
    }
    module = mbu_ops.chain([step.format(pair=pair) for step in steps])
    torch.testing.assert_close(module(image), Redraw(loaded.model, codes)(image))
    assert passes(module) == [1]


def test_a_pass_draws_a_guide_picture_for_its_own_content(pair: Path, image: Tensor, guide: Path) -> None:
    pixels = torch.from_numpy(np.array(Image.open(guide))).permute(2, 0, 1)[None] / 255
    model = load(pair / "weights.safetensors").model
    small = mbu_ops.functional.resize(pixels, (16, 16))
    expected = Redraw(model, {0: None, 1: model.for_content(1).encode_guide(small).detach()})(image)
    for module in (
        mbu_ops.chain([f"add:{pair}@{guide},content=tie", f"remove:{pair},content=hat"]),
        mbu_ops.chain([f"add:{pair},content=tie", f"remove:{pair},content=hat"], guides={str(pair): pixels}),
    ):
        torch.testing.assert_close(module(image), expected)


@pytest.mark.parametrize(
    "steps",
    [
        ["remove:{pair},content=hat", "add:{pair},content=hat"],
        ["remove:{pair},content=hat,threshold=0.2", "add:{pair},content=tie"],
        ["remove:{pair},content=hat", "add:{pair},content=tie,detail=0.5"],
        ["remove:{pair},content=hat", "translate:{pair},content=tie"],
        ["remove:{hats}", "add:{hats}"],
        ["remove:{pair},content=hat", "add:{hats}"],
        ["remove:{dial}", "add:{dial}"],
    ],
    ids=["one content", "look of the first", "look of the second", "another verb", "mbu", "two networks", "dial"],
)
def test_other_steps_are_a_pass_each_in_their_order(
    pair: Path, hats: Path, dial: Path, image: Tensor, steps: list[str]
) -> None:
    steps = [step.format(pair=pair, hats=hats, dial=dial) for step in steps]
    module = mbu_ops.chain(steps)
    assert len(module.steps) == 2
    assert not any(isinstance(step, Redraw) for step in module.steps)
    first, second = (mbu_ops.chain([step]) for step in steps)
    torch.testing.assert_close(module(image), second(first(image)))


def test_networks_that_cannot_redraw_make_a_pass_a_step(
    pair: Path, image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = [mbu_ops.chain([f"remove:{pair},content={content}"]) for content in ("hat", "tie")]
    expected = one_by_one[1](one_by_one[0](image))
    kind = type(load(pair / "weights.safetensors").model)
    monkeypatch.setattr(kind, "info", replace(kind.info, verbs=frozenset({"remove"})))
    monkeypatch.setattr(kind.view, "info", replace(kind.view.info, verbs=frozenset({"remove"})))
    chain = f"remove:{pair},content=hat remove:{pair},content=tie"
    torch.testing.assert_close(mbu_ops.chain(chain)(image), expected)
    with pytest.raises(UnsupportedVerbError, match="a method that can add, got didd, which can remove"):
        mbu_ops.chain(f"remove:{pair},content=hat add:{pair},content=tie")


def test_a_pass_ends_where_a_content_comes_again(pair: Path, image: Tensor) -> None:
    steps = [f"{verb}:{pair},content={content}" for verb in ("remove", "add") for content in ("hat", "tie")]
    module = mbu_ops.chain(steps)
    assert [type(step) for step in module.steps] == [Redraw, Redraw]
    assert passes(module) == [1, 1]
    halves = mbu_ops.chain(steps[:2]), mbu_ops.chain(steps[2:])
    torch.testing.assert_close(module(image), halves[1](halves[0](image)))


def test_each_verb_edits_the_content_it_names(pair: Path, image: Tensor) -> None:
    loaded = load(pair / "weights.safetensors")
    for index, content in enumerate(("hat", "tie")):
        view, code = loaded.model.for_content(index), loaded.guides[1:2, index]
        expected = {
            "add": mbu_ops.Transfer(view).edit_code(image, code).image,
            "swap": mbu_ops.Swap(view).edit_code(image, code).image,
            "translate": mbu_ops.Translate(view).edit_code(image, code).image,
            "remove": mbu_ops.Remove(view)(image),
            "segment": mbu_ops.Segment(view)(image),
        }
        for verb, result in expected.items():
            options = ",guide=1" if verb in ("add", "swap", "translate") else ""
            module = mbu_ops.chain([f"{verb}:{pair}{options},content={content}"])
            torch.testing.assert_close(module(image), result, msg=f"{verb} {content}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("remove:{pair}", "edit hat and tie; name one of them as content, none was named"),
        ("add:{pair},content=boot", "edit hat and tie; name one of them as content, got 'boot'"),
        ("adjust:{pair},content=hat", "expected a method that can adjust, got didd"),
        ("translate:{hats}", "expected a method that can translate, got mbu"),
        ("swap:{dial}", "expected a method that can swap, got maae"),
    ],
)
def test_contents_and_verbs_that_are_not_there_are_named(
    pair: Path, hats: Path, dial: Path, text: str, message: str
) -> None:
    with pytest.raises(MBUOpsError, match=message):
        mbu_ops.chain([text.format(pair=pair, hats=hats, dial=dial)])


def test_a_dial_is_turned_by_its_strength(dial: Path, image: Tensor) -> None:
    adjust = mbu_ops.Adjust(load(dial / "weights.safetensors").model)
    for text, strength in (("", 1.0), (",strength=-0.5", -0.5), (",strength=0", 0.0)):
        assert torch.equal(mbu_ops.chain([f"adjust:{dial}{text}"])(image), adjust(image, strength))
    assert torch.equal(mbu_ops.chain([f"adjust:{dial},strength=0"])(image), image)
    assert torch.equal(mbu_ops.chain([f"add:{dial}"])(image), adjust(image, 1.0))
    looks = mbu_ops.chain([f"adjust:{dial},threshold=0.3,softness=0.2,detail=0"])(image)
    assert torch.equal(looks, mbu_ops.Adjust(adjust.model, mbu_ops.ops.Look(0.3, 0.2, detail=0))(image, 1.0))


def test_a_dial_follows_no_guide(dial: Path, guide: Path) -> None:
    with pytest.raises(ConfigurationError, match="maae follows no guide: leave the picture out"):
        mbu_ops.chain([f"add:{dial}@{guide}"])


def test_gradients_reach_the_image_and_the_weights_through_a_pass(pair: Path) -> None:
    image = torch.rand(1, 3, 20, 24, requires_grad=True)
    module = mbu_ops.chain([f"remove:{pair},content=tie", f"add:{pair},content=hat"], trainable=True)
    module(image).square().sum().backward()
    assert image.grad.abs().sum() > 0
    assert any(weight.grad is not None and weight.grad.any() for weight in module.parameters())


def test_passes_are_compiled_on_demand(pair: Path, image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    torch.compiler.reset()
    counter = torch._dynamo.utils.counters
    steps = [f"remove:{pair},content=tie", f"add:{pair},content=hat"]
    for chain in (steps, steps[:1]):
        counter.clear()
        module = mbu_ops.chain(chain, compile=True)
        torch.testing.assert_close(module(image), mbu_ops.chain(chain)(image))
        assert counter["stats"]["unique_graphs"] >= 1
