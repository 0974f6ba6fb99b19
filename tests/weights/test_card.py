"""Weights as a folder to pass on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import mbu_ops
from mbu_ops import weights
from mbu_ops.errors import ConfigurationError, WeightsError
from mbu_ops.methods.mbu import MBU
from mbu_ops.testing import tiny_didd
from mbu_ops.weights import Pretrained, WeightsInfo, load_pretrained, save_pretrained
from mbu_ops.weights.card import model_card, read_card


@pytest.fixture
def loaded(model: MBU) -> Pretrained:
    info = WeightsInfo("mbu", MBU.config_to_dict(model.config), 16, "pets", ("hat",), "CC BY 4.0", {"steps": 3})
    return Pretrained(model, info, None)


def facts(card: str) -> dict[str, object]:
    """Return what stands at the head of a card: each line a key and JSON, which is YAML."""
    _, head, _ = card.split("---\n", 2)
    return {key: json.loads(value) for key, _, value in (line.partition(": ") for line in head.splitlines())}


def test_a_folder_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    remove = mbu_ops.Remove.from_pretrained("faces/glasses")
    remove.save_pretrained(tmp_path / "mine" / "glasses")
    again = mbu_ops.Remove.from_pretrained(tmp_path / "mine" / "glasses")
    assert remove.pretrained is not None
    assert again.pretrained is not None
    assert again.pretrained.info == remove.pretrained.info
    image = torch.rand(1, 3, 64, 64)
    assert torch.equal(again(image), remove(image))
    shipped, _ = weights.resolve("faces/glasses", verb="remove")
    stored, before = load_file(tmp_path / "mine" / "glasses" / "weights.safetensors"), load_file(shipped)
    assert stored.keys() == before.keys()
    assert all(torch.equal(stored[name], before[name]) for name in before)


def test_the_hub_s_own_library_reads_the_card(loaded: Pretrained, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    save_pretrained(loaded._replace(metrics=(("add", 0.84), ("mask_iou", 0.5))), tmp_path)
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.license, data.library_name, data.pipeline_tag) == ("cc-by-4.0", "mbu-ops", "image-to-image")
    assert data.tags == ["image-editing", "pets", "hat", "mbu"]
    assert data.model_name == "pets-hat-mbu"
    assert [(found.metric_type, found.metric_value) for found in data.eval_results] == [
        ("add", 0.84),
        ("mask_iou", 0.5),
    ]


def test_what_ships_keeps_its_card_its_terms_and_its_figures() -> None:
    shipped = load_pretrained("avatars/glasses")
    card = model_card(shipped)
    assert card.endswith(shipped.card)
    assert shipped.card.startswith("# avatars-glasses-mbu-lite")
    index: Any = facts(card)["model-index"]
    figures = index[0]["results"][0]["metrics"]
    assert len(index) == 1
    assert [(figure["type"], figure["value"]) for figure in figures] == list(shipped.metrics) != []


@pytest.mark.parametrize(
    ("licence", "known", "name"),
    [
        ("MIT", "mit", None),
        ("CC0 1.0", "cc0-1.0", None),
        ("research only (CelebA)", "other", "research-only-celeba"),
        ('evil"\nlicense: mit', "other", "evil-license-mit"),
    ],
)
def test_terms_of_its_own_have_a_name(loaded: Pretrained, licence: str, known: str, name: str | None) -> None:
    found = facts(model_card(loaded._replace(info=replace(loaded.info, licence=licence))))
    assert (found["license"], found.get("license_name")) == (known, name)


def test_without_a_card_the_file_describes_itself(loaded: Pretrained) -> None:
    card = model_card(loaded)
    assert "**Licence: CC BY 4.0.**" in card
    assert '"steps": 3' in card
    assert "model-index" not in facts(card)


def test_a_card_that_came_with_a_folder_stays_as_it_is(loaded: Pretrained, tmp_path: Path) -> None:
    save_pretrained(loaded, tmp_path)
    (tmp_path / "README.md").write_text('---\nlicense: "mit"\n---\n\n# Hats, said by hand\n')
    again = load_pretrained(tmp_path)
    assert model_card(again) == again.card == (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text("# Something else that lies here\n")
    assert read_card(tmp_path / "weights.safetensors") == ""


def test_one_content_of_several_is_no_file(tmp_path: Path) -> None:
    model = tiny_didd()
    info = WeightsInfo("didd", type(model).config_to_dict(model.config), 16, attributes=("hat", "tie"))
    whole = Pretrained(model, info, None)
    with pytest.raises(
        ConfigurationError, match=r"expected all of the didd networks.*load_pretrained\(name, whole=True\)"
    ):
        save_pretrained(whole.for_content("hat", "x"), tmp_path)
    save_pretrained(whole, tmp_path)
    assert load_pretrained(tmp_path, whole=True).info.attributes == ("hat", "tie")


def test_a_folder_that_cannot_be_made_is_said(loaded: Pretrained, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match=r"cannot be written .*; choose another folder"):
        save_pretrained(loaded, tmp_path / "file" / "folder")
