"""The judge learns what the domains differ in, and is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from mbu_ops.data.domains import Domains
from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.evaluation.judge import Judge, train_judge


def bright_spot(count: int, seed: int, shown: bool) -> Tensor:
    images = torch.randint(0, 100, (count, 3, 32, 32), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    if shown:
        images[:, :, 8:16, 8:24] = 255
    return images


@pytest.fixture(scope="module")
def judge() -> Judge:
    before = torch.random.get_rng_state()
    domains = Domains(bright_spot(40, 0, False), bright_spot(40, 1, True))
    trained = train_judge(domains, steps=12, backbone="small")
    assert torch.equal(before, torch.random.get_rng_state())  # the caller's randomness is the caller's
    return trained


def test_it_tells_images_it_has_not_seen(judge: Judge) -> None:
    assert judge.says_with(bright_spot(20, 2, True).float() / 255).float().mean() > 0.9
    assert judge.says_with(bright_spot(20, 3, False).float() / 255).float().mean() < 0.1


def test_it_takes_any_size_and_any_number(judge: Judge) -> None:
    assert judge.says_with(torch.rand(65, 3, 20, 36)).shape == (65,)


def test_it_is_kept_and_read_again(judge: Judge, tmp_path: Path) -> None:
    judge.save(tmp_path / "judge.safetensors")
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(judge(images), Judge.load(tmp_path / "judge.safetensors")(images))


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_no_judge_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "judge.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="expected a judge's weights"):
        Judge.load(tmp_path / "judge.safetensors")


def stripe(count: int, seed: int, shown: bool) -> Tensor:
    """The lower rows are bright or not, and the spot of :func:`bright_spot` is there in every second picture."""
    images = torch.cat([bright_spot(count // 2, seed, False), bright_spot(count // 2, seed + 1, True)])
    if shown:
        images[:, :, 22:28] = 255
    return images


def spots_among_stripes(count: int, seed: int, shown: bool) -> Tensor:
    images = torch.cat([stripe(count, seed, False), stripe(count, seed + 2, True)])
    images[:, :, 8:16, 8:24] = 255 if shown else 50
    return images


@pytest.fixture(scope="module")
def both() -> Judge:
    pictures = {
        "spot": Domains(spots_among_stripes(20, 0, False), spots_among_stripes(20, 4, True)),
        "stripe": Domains(stripe(40, 8, False), stripe(40, 10, True)),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mbu_ops.evaluation.judge.HALF_BATCH", 8)
        return train_judge(pictures, steps=24, backbone="small")


@pytest.mark.slow
def test_it_learns_two_contents_at_once(both: Judge) -> None:
    assert both.contents == ("spot", "stripe")
    for content, draw in (("spot", spots_among_stripes), ("stripe", stripe)):
        judge = both.of(content)
        for shown in (True, False):
            said = judge.says_with(draw(20, 20, shown).float() / 255)
            assert (said == shown).float().mean() > 0.9, content


def test_it_tells_the_content_that_it_is_asked_for(both: Judge) -> None:
    images = torch.rand(3, 3, 40, 32)
    with torch.no_grad():
        logits = both.logits(images)
        assert logits.shape == (3, 2)
        assert torch.equal(both(images), logits[:, 0])
        assert torch.equal(both.of("spot")(images), logits[:, 0])
        assert torch.equal(both.of("stripe")(images), logits[:, 1])
        assert torch.equal(both.of("stripe").of("spot")(images), logits[:, 0])
    assert both.content == "spot", "asking for another changes nothing here"
    with pytest.raises(ConfigurationError, match=r"\(spot, stripe\), got 'hat'"):
        both.of("hat")


@pytest.mark.parametrize(
    ("contents", "backbone", "reason"),
    [((), "small", "different contents"), (("a", "a"), "small", "different contents"), (("a",), "vgg", "a backbone")],
)
def test_what_no_judge_can_be_is_refused(contents: tuple[str, ...], backbone: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Judge(contents, backbone)


def test_files_of_the_large_backbone_are_half_as_large_and_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbu_ops.evaluation.judge.HALF_BATCH", 2)
    pictures = {name: Domains(bright_spot(8, 0, False), bright_spot(8, 1, True)) for name in ("spot", "other")}
    trained, path = train_judge(pictures, steps=1), tmp_path / "judge.safetensors"
    trained.learnt = {"attribute": "spot", "people": "1/2"}
    trained.save(path)
    kept, images = Judge.load(path), torch.rand(2, 3, 64, 64)
    assert (kept.contents, kept.backbone, kept.learnt) == (("spot", "other"), "efficientnet_lite0", trained.learnt)
    assert {value.dtype for value in load_file(path).values()} == {torch.float16, torch.int64}
    assert {value.dtype for value in kept.parameters()} == {torch.float32}
    with torch.no_grad():
        assert torch.equal(trained.logits(images), kept.logits(images))


@pytest.mark.parametrize(("learnt", "content"), [({"attribute": "hat"}, "hat"), ({"attribute": None}, "content")])
def test_files_of_before_there_were_several_are_read(
    judge: Judge, tmp_path: Path, learnt: dict[str, Any], content: str
) -> None:
    path, images = tmp_path / "judge.safetensors", torch.rand(3, 3, 32, 32)
    save_file(judge.state_dict(), path, {"learnt": json.dumps(learnt)})
    old = Judge.load(path)
    assert (old.contents, old.backbone, old.learnt) == ((content,), "small", learnt)
    with torch.no_grad():
        assert torch.equal(judge(images), old(images))


@pytest.mark.parametrize(
    "facts",
    [
        {"backbone": "efficientnet_lite0"},
        {"backbone": "vgg"},
        {"kind": "map"},
        {"contents": '"content"'},
        {"contents": "{}"},
        {"contents": "[]"},
        {"contents": "[1]"},
        {"contents": '["a", "a"]'},
        {"contents": '["a", "b"]'},
        {"contents": "[" * 100_000},
        {"contents": "no json"},
        {"contents": None},
        {"learnt": "3"},
    ],
)
def test_a_file_that_says_something_else_is_refused(judge: Judge, tmp_path: Path, facts: dict[str, Any]) -> None:
    path = tmp_path / "judge.safetensors"
    judge.save(path)
    with safe_open(path, "pt") as file:
        said = file.metadata() | facts
    save_file(load_file(path), path, {name: value for name, value in said.items() if value is not None})
    with pytest.raises(WeightsError, match="expected a judge's weights"):
        Judge.load(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(judge: Judge, tmp_path: Path, number: float) -> None:
    path = tmp_path / "judge.safetensors"
    judge.save(path)
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    tensors = load_file(path)
    tensors["layers.0.bias"][0] = number
    save_file(tensors, path, facts)
    with pytest.raises(WeightsError, match="not finite"):
        Judge.load(path)
