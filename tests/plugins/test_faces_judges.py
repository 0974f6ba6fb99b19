"""The packaged judges of faces: one reports, another chooses, of other people."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mbu_ops.errors import MissingPackageError
from mbu_ops.evaluation.judge import Judge
from mbu_ops_faces import family
from mbu_ops_faces.judges import packaged


@pytest.fixture(scope="module", params=["report", "choose"])
def judge(request: pytest.FixtureRequest) -> Judge:
    return packaged(request.param)


def test_it_tells_attributes_of_the_family(judge: str) -> None:
    known = {attribute.name for attribute in family.attributes}
    assert {"glasses", "smile", "facial_hair"} <= set(judge.contents) <= known
    assert judge.learnt["attributes"] == list(judge.contents)
    assert judge.learnt["family"] == family.name
    assert judge.backbone == "efficientnet_lite0"
    assert not judge.training


def test_every_picture_gets_a_finite_logit(judge: str) -> None:
    for size in ((128, 128), (40, 56)):
        with torch.no_grad():
            logits = judge.logits(torch.rand(2, 3, *size))
        assert logits.shape == (2, len(judge.contents))
        assert logits.isfinite().all()


def test_a_smiling_woman_without_glasses_is_told(judge: str, face: Tensor) -> None:
    said = {content: bool(judge.of(content).says_with(face)) for content in ("glasses", "smile", "facial_hair")}
    assert said == {"glasses": False, "smile": True, "facial_hair": False}


def test_the_two_have_learnt_from_other_people() -> None:
    shares = [packaged(role).learnt["people"] for role in ("report", "choose")]
    assert sorted(map(str, shares)) == ["1/2", "2/2"]
    assert packaged("report").contents == packaged("choose").contents


@pytest.mark.usefixtures("_no_measuring_package")
def test_a_package_that_is_missing_is_named() -> None:
    says = r"^grading edits of faces needs judge-report\.safetensors .* pip install mbu-ops-measuring$"
    with pytest.raises(MissingPackageError, match=says):
        packaged("report")
