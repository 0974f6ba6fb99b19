"""From names to files."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mbu_ops import weights
from mbu_ops.errors import ConfigurationError, FamilyError, WeightsError
from mbu_ops.families import FamilySpec, WeightSpec, get_family
from mbu_ops.methods.mbu import MBU
from mbu_ops.ops.remove import Remove
from mbu_ops.testing import tiny_didd
from mbu_ops.weights import WeightsInfo, store


@pytest.fixture
def file(model: MBU, tmp_path: Path) -> Path:
    path = tmp_path / "made" / "tiny.safetensors"
    path.parent.mkdir()
    info = WeightsInfo("mbu", MBU.config_to_dict(model.config), 16, family="faces", attributes=("glasses",))
    weights.save(path, model, info, guides=torch.zeros(2, *model.config.separate_code_shape))
    return path


@pytest.fixture
def spec(file: Path) -> WeightSpec:
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return WeightSpec("tiny", "mbu", ("glasses",), "tiny.safetensors", digest, len(content), "research")


@pytest.fixture
def promise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Let the family of faces promise these weights, found in a store of the test's own."""

    def set_weights(*specs: WeightSpec) -> Path:
        family: FamilySpec = replace(get_family("faces"), weights=specs)
        monkeypatch.setattr(store, "get_family", lambda name: family if name == "faces" else get_family(name))
        monkeypatch.setenv("MBU_OPS_HOME", str(tmp_path / "home"))
        folder = tmp_path / "home" / "weights" / "faces"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    return set_weights


def test_a_path_is_a_file_or_the_folder_that_training_wrote(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert weights.resolve(file) == weights.resolve(str(file)) == (file, None)
    run = tmp_path / "my-hats"
    run.mkdir()
    shutil.copy(file, run / "weights.safetensors")
    monkeypatch.chdir(tmp_path)
    for name in ("my-hats", "./my-hats", run):
        path, promised = weights.resolve(name)
        assert (path.resolve(), promised) == (run / "weights.safetensors", None)
    assert weights.load_pretrained("./my-hats").info.attributes == ("glasses",)


@pytest.mark.parametrize(
    "name", ["./nothing", "../nothing", "nothing.safetensors", "faces/nothing.safetensors", "C:\\x"]
)
def test_what_looks_like_a_path_is_never_taken_for_a_family(name: str) -> None:
    with pytest.raises(WeightsError, match="no such file or folder"):
        weights.resolve(name)


def test_an_empty_folder_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"the folder holds no weights\.safetensors"):
        weights.resolve(tmp_path)


def test_a_relative_folder_of_a_run_that_goes_on_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "hats").mkdir(parents=True)
    (tmp_path / "faces" / "smile").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"runs/hats: the folder holds no weights\.safetensors"):
        weights.resolve("runs/hats")
    assert weights.resolve("faces/smile")[1] is not None  # a folder of a family's name hides nothing


@pytest.mark.parametrize("name", ["glasses", "", "a/b/c/d", "faces//x"])
def test_a_name_needs_family_and_attribute(name: str) -> None:
    with pytest.raises(WeightsError, match="expected family/attribute such as 'faces/glasses'"):
        weights.resolve(name)


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(FamilyError, match="Did you mean 'faces'"):
        weights.resolve("face/glasses")
    with pytest.raises(FamilyError, match="Did you mean 'glasses'"):
        weights.resolve("faces/glases")


def test_a_family_without_weights_says_so(promise: Callable[..., Path]) -> None:
    promise()
    with pytest.raises(WeightsError, match="there are no weights for faces/glasses; train some"):
        weights.resolve("faces/glasses")


def test_weights_are_found_by_attribute_alias_and_id(
    file: Path, spec: WeightSpec, promise: Callable[..., Path]
) -> None:
    folder = promise(spec, replace(spec, id="second", file="second.safetensors"))
    for name in ("tiny", "second"):
        shutil.copy(file, folder / f"{name}.safetensors")
    assert weights.resolve("faces/glasses") == (folder / "tiny.safetensors", spec)
    assert weights.resolve("faces/eyeglasses/tiny") == (folder / "tiny.safetensors", spec)
    assert weights.resolve("faces/glasses/second")[0] == folder / "second.safetensors"
    assert weights.verify("faces/glasses").guides == 2
    with pytest.raises(WeightsError, match=r"has no weights 'secnd'\. Did you mean 'second'"):
        weights.resolve("faces/glasses/secnd")
    with pytest.raises(WeightsError, match="no weights for faces/smile"):
        weights.resolve("faces/smile")


def test_a_method_picks_among_them_and_is_insisted_on(
    file: Path, spec: WeightSpec, promise: Callable[..., Path]
) -> None:
    folder = promise(replace(spec, id="other", method="other", file="other.safetensors"), spec)
    for name in ("tiny", "other"):
        shutil.copy(file, folder / f"{name}.safetensors")
    assert weights.resolve("faces/glasses", method="mbu")[1] == spec
    with pytest.raises(WeightsError, match="no weights for faces/glasses of method 'press'"):
        weights.resolve("faces/glasses", method="press")
    with pytest.raises(WeightsError, match="expected weights of method 'other', got 'mbu'"):
        weights.load_pretrained(file, method="other")


def test_what_the_family_promises_is_checked(file: Path, spec: WeightSpec, promise: Callable[..., Path]) -> None:
    folder = promise(replace(spec, sha256="0" * 64))
    shutil.copy(file, folder / "tiny.safetensors")
    for read in (weights.load_pretrained, weights.verify):
        with pytest.raises(WeightsError, match="expected sha256 0000"):
            read("faces/glasses")
    promise(replace(spec, attributes=("glasses", "smile")))
    with pytest.raises(WeightsError, match="expected 'mbu' weights for glasses, smile, got 'mbu' weights for glasses"):
        weights.verify("faces/glasses")


def of_frame(file: Path, spec: WeightSpec, frame: str | None, listed: str | None) -> WeightSpec:
    """Write the file again as trained on a frame, and return its entry of a list that says another one."""
    model, info, guides, *_ = weights.load(file)
    weights.save(file, model, replace(info, frame=frame), guides)
    content = file.read_bytes()
    return replace(spec, sha256=hashlib.sha256(content).hexdigest(), size=len(content), frame=listed)


@pytest.mark.parametrize(
    ("frame", "listed", "says"),
    [
        ("eyes", "eyes", None),
        (None, None, None),
        (None, "face", None),  # the family's first, by its name and without
        ("face", None, None),
        ("eyes", None, "expected weights trained on the frame 'face', got 'eyes'; the family's list is out of date"),
        (None, "head", "expected weights trained on the frame 'head', got 'face'"),
        ("ears", None, "a frame of the family 'faces': there is no frame 'ears'"),
    ],
)
def test_the_frame_that_the_family_promises_is_checked(
    file: Path, spec: WeightSpec, promise: Callable[..., Path], frame: str | None, listed: str | None, says: str | None
) -> None:
    entry = of_frame(file, spec, frame, listed)
    shutil.copy(file, promise(entry) / "tiny.safetensors")
    reason = weights.flaw(store.get_family("faces"), entry)
    if says is None:
        assert weights.verify("faces/glasses").frame == frame
        assert reason is None
    else:
        with pytest.raises(WeightsError, match=says):
            weights.verify("faces/glasses")
        assert reason is not None
        assert says in reason


def test_a_file_s_frame_is_one_of_its_family_where_that_is_known(file: Path, spec: WeightSpec) -> None:
    of_frame(file, spec, "lower_fase", None)
    says = r"no frame 'lower_fase'\. Did you mean 'lower_face'\? Its plugin may be too old"
    with pytest.raises(WeightsError, match=says):
        weights.verify(file)
    model, info, guides, *_ = weights.load(file)
    for family in (None, "a_family_of_another_machine"):
        weights.save(file, model, replace(info, family=family), guides)
        assert weights.verify(file).frame == "lower_fase"


def test_weights_that_are_not_installed_say_where_they_were_sought(
    spec: WeightSpec, promise: Callable[..., Path]
) -> None:
    promise(spec)
    with pytest.raises(WeightsError, match=r"not installed: found neither .*mbu_ops_checkpoints.* nor .*home"):
        weights.resolve("faces/glasses")
    promise(replace(spec, package="no_such_package"))
    with pytest.raises(WeightsError, match="install 'no_such_package'"):
        weights.resolve("faces/glasses")


def test_packaged_weights_go_before_the_users_own(
    file: Path, spec: WeightSpec, promise: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "some_checkpoints"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    folder = promise(replace(spec, package="some_checkpoints"))
    for place in (folder, package):
        shutil.copy(file, place / "tiny.safetensors")
    assert weights.resolve("faces/glasses")[0] == package / "tiny.safetensors"


# -- several methods and contents of one family -----------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path, spec: WeightSpec, promise: Callable[..., Path]) -> Callable[..., None]:
    """Let the family have weights by these names, with these methods, attributes and verbs."""

    def make(**listed: tuple[str, tuple[str, ...], tuple[str, ...]]) -> None:
        specs = [
            replace(spec, id=name, method=method, attributes=attributes, file=f"{name}.safetensors", verbs=verbs)
            for name, (method, attributes, verbs) in listed.items()
        ]
        folder = promise(*specs)
        for one in specs:
            (folder / one.file).touch()

    return make


def chosen(name: str, **options: object) -> str:
    spec = weights.resolve(name, **options)[1]
    assert spec is not None
    return spec.id


def test_a_verb_picks_among_weights_that_say_what_they_can(many: Callable[..., None]) -> None:
    glasses = ("glasses",)
    many(
        old=("mbu", glasses, ()),
        dial=("maae", glasses, ("adjust", "remove")),
        pair=("didd", ("glasses", "smile"), ("translate", "remove")),
    )
    assert chosen("faces/glasses") == chosen("faces/glasses", verb="remove") == "old"
    assert chosen("faces/glasses", verb="translate") == "old", "nobody wrote down that it cannot"
    many(
        plain=("mbu", glasses, ("remove",)),
        dial=("maae", glasses, ("adjust", "remove")),
        pair=("didd", ("glasses", "smile"), ("translate", "remove")),
    )
    assert chosen("faces/glasses", verb="remove") == "plain"
    assert chosen("faces/glasses", verb="adjust") == "dial"
    assert chosen("faces/glasses", verb="translate") == chosen("faces/smile", verb="remove") == "pair"
    with pytest.raises(WeightsError, match="no weights for faces/glasses that can mix"):
        weights.resolve("faces/glasses", verb="mix")
    with pytest.raises(WeightsError, match="no weights for faces/glasses of method 'mbu' that can adjust"):
        weights.resolve("faces/glasses", method="mbu", verb="adjust")
    assert chosen("faces/glasses/dial", verb="remove") == "dial"


def test_a_list_says_for_which_verbs_weights_come_first(spec: WeightSpec, promise: Callable[..., Path]) -> None:
    listed = replace(spec, id="listed", file="listed.safetensors", verbs=("remove", "transfer", "swap"))
    dial = replace(listed, id="dial", file="dial.safetensors", method="maae", follows_guides=False)
    folder = promise(listed, replace(dial, first_for=("remove", "transfer")))
    for one in (listed, dial):
        (folder / one.file).touch()
    assert chosen("faces/glasses", verb="remove") == chosen("faces/glasses", verb="transfer") == "dial"
    assert chosen("faces/glasses") == chosen("faces/glasses", verb="swap") == "listed"
    assert chosen("faces/glasses", verb="remove", method=listed.method) == "listed"
    assert chosen("faces/glasses/listed", verb="remove") == "listed"


def test_where_a_guide_is_named_weights_that_follow_guides_come_first(
    spec: WeightSpec, promise: Callable[..., Path]
) -> None:
    dial = replace(spec, id="dial", file="dial.safetensors", method="maae", follows_guides=False)
    other = replace(spec, id="other", file="other.safetensors")
    folder = promise(dial, other)
    for one in (dial, other):
        (folder / one.file).touch()
    assert chosen("faces/glasses") == "dial"
    assert chosen("faces/glasses", guided=True) == "other"
    # what a user asks for by name is what a user gets, and an error says that it follows no guide
    assert chosen("faces/glasses", guided=True, method="maae") == "dial"
    assert chosen("faces/glasses/dial", guided=True) == "dial"


def test_what_is_edited_beside_picks_the_pair_of_both(many: Callable[..., None]) -> None:
    many(
        first=("didd", ("glasses", "smile"), ()),
        second=("didd", ("glasses", "facial_hair"), ()),
        alone=("mbu", ("glasses",), ()),
    )
    assert chosen("faces/glasses") == chosen("faces/glasses", beside={"smile"}) == "first"
    assert chosen("faces/glasses", beside={"glasses", "facial_hair"}) == "second"
    assert chosen("faces/glasses", beside={"hair_men"}) == "first"
    many(alone=("mbu", ("glasses",), ()), pair=("didd", ("glasses", "smile"), ()))
    assert chosen("faces/glasses", beside={"smile"}) == "alone", "the first's method stays the default"


def test_the_attribute_that_is_named_is_the_content(
    tmp_path: Path, spec: WeightSpec, promise: Callable[..., Path]
) -> None:
    model = tiny_didd()
    info = WeightsInfo("didd", model.config_to_dict(model.config), 16, "faces", ("glasses", "smile"))
    path = tmp_path / "pair.safetensors"
    weights.save(path, model, info)
    content = path.read_bytes()
    pair = replace(
        spec,
        method="didd",
        attributes=("glasses", "smile"),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
    (promise(pair) / spec.file).write_bytes(content)
    for name, index in (("faces/glasses", 0), ("faces/smiling", 1), ("faces/smile/tiny", 1)):
        assert weights.load_pretrained(name).model.index == index
        assert Remove.from_pretrained(name).model.index == index
    assert Remove.from_pretrained("faces/glasses", content="smile").model.index == 1
    with pytest.raises(ConfigurationError, match=r"take model.for_content\(0\), or name one by Remove.from_pretrained"):
        Remove.from_pretrained(path)
    assert Remove.from_pretrained(path, content="smile").model.index == 1
    assert weights.verify("faces/smile").attributes == ("glasses", "smile")
