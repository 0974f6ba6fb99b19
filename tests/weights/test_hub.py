"""Weights on the Hugging Face Hub, by a server of this machine's own."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
import torch

import mbu_ops
from mbu_ops import weights
from mbu_ops.errors import ConfigurationError, MissingPackageError, WeightsError
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.chain import ChainSpec
from mbu_ops.weights import WeightsInfo
from mbu_ops.weights import hub as hub_module
from mbu_ops.weights.hub import HubFile

from ..hub_server import TOKEN, HubServer, Repo

NAME = "hf://ann/hats"


@pytest.fixture
def content(model: MBU, tmp_path: Path) -> bytes:
    path = tmp_path / "tiny.safetensors"
    info = WeightsInfo("mbu", MBU.config_to_dict(model.config), 16, attributes=("hat",), licence="CC BY 4.0")
    weights.save(path, model, info, guides=torch.zeros(2, *model.config.separate_code_shape))
    return path.read_bytes()


@pytest.fixture
def repo(hub: HubServer, content: bytes) -> Repo:
    """A repository whose default file holds weights."""
    hub.repos["ann/hats"] = Repo()
    hub.repos["ann/hats"].commit({"weights.safetensors": content, "model.bin": b"a pickle"})
    return hub.repos["ann/hats"]


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("hf://ann/hats", HubFile("ann/hats", "weights.safetensors", "main")),
        ("hf://ann/hats:v1.0", HubFile("ann/hats", "weights.safetensors", "v1.0")),
        ("hf://ann/hats:refs/pr/2", HubFile("ann/hats", "weights.safetensors", "refs/pr/2")),
        ("hf://ann/hats/a/b.safetensors:main", HubFile("ann/hats", "a/b.safetensors", "main")),
    ],
)
def test_a_name_says_repository_file_and_revision(name: str, file: HubFile) -> None:
    assert HubFile.parse(name) == HubFile.parse(str(file)) == file


@pytest.mark.parametrize(
    "name",
    [
        "hf://", "hf://ann", "hf://ann/", "hf://ann/hats:", "hf://ann/hats@main", "hf://ann/hats/../x.safetensors",
        "hf://../hats", "hf://ann/hats:main:v1", "hf://ann/hats:-x", "hf://ann/hats//x.safetensors", "hf://ann/häts",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_before_anything_is_asked(name: str, hub: HubServer) -> None:
    with pytest.raises(WeightsError, match="a revision after a colon, as in hf://user/repo:main"):
        weights.resolve(name)
    assert hub.requests == []


@pytest.mark.parametrize("file", ["model.bin", "pytorch_model.pt", "weights", "x.safetensors.pkl"])
def test_pickles_are_never_touched(file: str, repo: Repo, hub: HubServer) -> None:
    with pytest.raises(WeightsError, match=r"only \.safetensors files are read, since others can run code"):
        weights.load_pretrained(f"{NAME}/{file}")
    assert hub.requests == []


@pytest.mark.parametrize(
    ("text", "attribute", "guide"),
    [
        ("add:hf://ann/hats", "hf://ann/hats", None),
        ("add:hf://ann/hats:v1@guide.jpg", "hf://ann/hats:v1", "guide.jpg"),
        ("add:hf://ann/hats/a.safetensors:refs/pr/2@b@c.jpg,detail=0.5", f"{NAME}/a.safetensors:refs/pr/2", "b@c.jpg"),
    ],
)  # fmt: skip
def test_a_step_of_a_chain_takes_a_name_and_a_guide(text: str, attribute: str, guide: str | None) -> None:
    (step,) = (spec := ChainSpec.parse(text)).steps
    assert (step.family, step.attribute, step.guide) == (None, attribute, guide)
    assert str(step) == text
    assert ChainSpec.parse(str(spec)) == ChainSpec.from_json(spec.to_json()) == spec


# -- download ---------------------------------------------------------------------------------------------------------


def test_an_op_is_made_of_weights_on_the_hub(repo: Repo, model: MBU) -> None:
    op = mbu_ops.Remove.from_pretrained(NAME, dtype=torch.float16)
    pairs = zip(op.model.parameters(), model.half().parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_the_pinned_name_holds_the_commit_and_needs_no_network_again(repo: Repo, hub: HubServer) -> None:
    first = repo.revisions["main"]
    assert weights.pin(NAME) == f"{NAME}:{first}"
    before = len(hub.requests)
    path, promised = weights.resolve(f"{NAME}:{first}")
    assert (first in str(path), promised, len(hub.requests)) == (True, None, before)
    second = repo.commit({"note.txt": b"new"})
    assert weights.pin(NAME) == f"{NAME}:{second}"
    assert len(hub.downloads()) == 1  # the same file in both commits


def test_another_file_and_another_revision(repo: Repo, hub: HubServer, content: bytes) -> None:
    oid = repo.commit({"small/hats.safetensors": content}, revision="refs/pr/2")
    name = f"{NAME}/small/hats.safetensors"
    assert weights.pin(f"{name}:refs/pr/2") == f"{name}:{oid}"
    assert weights.load_pretrained(f"{name}:{oid}").info.attributes == ("hat",)
    with pytest.raises(WeightsError, match="the repository holds no such file"):
        weights.resolve(name)


def test_a_plan_names_the_very_commit(repo: Repo) -> None:
    oid = repo.revisions["main"]
    (plan,) = ChainSpec.parse(f"remove:{NAME},dilation=1").plan()
    assert (str(plan.step), plan.name) == (f"remove:{NAME}:{oid},dilation=1", f"{NAME}:{oid}")
    image = torch.rand(1, 3, 16, 16)
    assert mbu_ops.chain(f"remove:{NAME}")(image).shape == image.shape


@pytest.mark.parametrize(("claimed", "got"), [(hub_module.LARGEST_DOWNLOAD + 1, "1073741825 bytes"), (10**15, "10000")])
def test_what_is_too_large_is_not_downloaded(claimed: int, got: str, repo: Repo, hub: HubServer) -> None:
    hub.claimed = claimed
    with pytest.raises(WeightsError, match=f"at most 1073741824 bytes, got {got}.*; nothing was downloaded"):
        weights.resolve(NAME)
    assert hub.downloads() == []


def test_what_came_damaged_is_not_kept(repo: Repo, hub: HubServer) -> None:
    hub.damage = True
    with pytest.raises(WeightsError, match=r"the file came damaged: its digest is not the promised [0-9a-f]{64}"):
        weights.resolve(NAME)
    hub.damage = False
    assert weights.verify(NAME).attributes == ("hat",)


def test_files_that_git_itself_holds_have_another_digest(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello\n")
    git, sha256 = "ce013625030ba8dba906f756967f9e9ca394464a", hashlib.sha256(b"hello\n").hexdigest()
    assert [hub_module.digest(tmp_path / "file", known) for known in (git, sha256)] == [git, sha256]


@pytest.mark.parametrize(
    ("strange", "says"),
    [(b"no weights at all", "another kind of file, or cut short"), (None, "got another safetensors file")],
)
def test_the_same_checks_as_for_local_files(strange: bytes | None, says: str, repo: Repo, tmp_path: Path) -> None:
    from safetensors.torch import save

    repo.commit({"weights.safetensors": save({"x": torch.zeros(3)}) if strange is None else strange})
    with pytest.raises(WeightsError, match=says):
        weights.load_pretrained(NAME)
    with pytest.raises(WeightsError, match=says):
        ChainSpec.parse(f"remove:{NAME}").plan()


# -- what can be in the way -------------------------------------------------------------------------------------------


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'mbu-ops\[hub\]'$"):
        mbu_ops.Remove.from_pretrained(NAME)


def test_what_is_not_there_is_said(repo: Repo, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=r"hf://ann/cats: no such repository, or a private one: .*hf auth login"):
        weights.resolve("hf://ann/cats")
    with pytest.raises(WeightsError, match="the repository has no such revision"):
        weights.resolve(f"{NAME}:v9")
    repo.private = True
    with pytest.raises(WeightsError, match="no such repository, or a private one"):
        weights.resolve(NAME)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert weights.verify(NAME).attributes == ("hat",)


def test_a_gated_repository_says_whom_to_ask(repo: Repo) -> None:
    repo.gated = True
    with pytest.raises(WeightsError, match="its owner has to let you in: ask for it on its page"):
        weights.resolve(NAME)


def test_without_a_network_what_was_downloaded_is_taken(
    repo: Repo, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # the library waits before it tries again
    pinned = weights.pin(NAME)
    hub.stop()
    assert weights.pin(NAME) == pinned
    with pytest.raises(WeightsError, match=r"not downloaded before, and the Hub is out of reach \(.*refused"):
        weights.resolve("hf://ann/cats")


def test_offline_nothing_is_asked(repo: Repo, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    pinned = weights.pin(NAME)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert weights.pin(NAME) == weights.pin(pinned) == pinned
    with pytest.raises(WeightsError, match=r"not downloaded before, .*offline mode is enabled"):
        weights.resolve(f"{NAME}:v1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE forbids to use the network"):
        weights.push_to_hub(weights.load_pretrained(NAME), "ann/cats", token=TOKEN)
    assert hub.requests == []


# -- upload -----------------------------------------------------------------------------------------------------------


def test_what_is_pushed_can_be_loaded_by_the_name_that_comes_back(repo: Repo, hub: HubServer) -> None:
    op = mbu_ops.Transfer.from_pretrained(NAME)
    with torch.no_grad():
        next(op.model.parameters()).fill_(0.25)
    name = op.push_to_hub("ann/caps", token=TOKEN, private=True, commit_message="Fill the first layer")
    caps = hub.repos["ann/caps"]
    assert (caps.private, caps.messages) == (True, ["Fill the first layer"])
    assert name == f"hf://ann/caps:{caps.revisions['main']}"
    assert sorted(caps.commits[caps.revisions["main"]]) == ["README.md", "weights.safetensors"]
    caps.private = False
    again = mbu_ops.Transfer.from_pretrained(name)
    assert again.pretrained is not None
    assert again.pretrained.info == weights.load_pretrained(NAME).info
    assert bool((next(iter(again.model.parameters())) == 0.25).all())
    assert torch.equal(again.guides, op.guides)


def test_pushing_to_a_repository_that_is_there_adds_a_commit(repo: Repo, hub: HubServer) -> None:
    before = repo.revisions["main"]
    name = weights.push_to_hub(weights.load_pretrained(NAME), "hf://ann/hats", token=TOKEN)
    assert name == f"{NAME}:{repo.revisions['main']}" != f"{NAME}:{before}"
    assert set(repo.commits[repo.revisions["main"]]) == {"README.md", "model.bin", "weights.safetensors"}


def test_who_may_not_push_is_told(repo: Repo, hub: HubServer) -> None:
    loaded = weights.load_pretrained(NAME)
    hub.writable = False
    for token in (None, TOKEN):  # nobody, then somebody who may not
        with pytest.raises(WeightsError, match=r"^hf://ann/caps:main: .*log in by 'hf auth login', or set HF_TOKEN"):
            weights.push_to_hub(loaded, "ann/caps", token=token)
    with pytest.raises(WeightsError, match="expected the name of a repository alone"):
        weights.push_to_hub(loaded, "ann/caps:v1", token=TOKEN)
    assert "ann/caps" not in hub.repos


def test_an_op_on_a_bare_network_does_not_know_what_its_weights_are(model: MBU, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected an op made by from_pretrained"):
        mbu_ops.Remove(model).save_pretrained(tmp_path)
