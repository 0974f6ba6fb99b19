"""Names, licences and descriptions of strangers: what they do to a terminal, to JSON, and to what reads them."""

from __future__ import annotations

import ast
import io
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mbu_ops_cli
from mbu_ops import weights
from mbu_ops.errors import WeightsError
from mbu_ops.foreign import parse_object, printable, printable_json
from mbu_ops.methods.mbu import MBU
from mbu_ops.testing import tiny_mbu
from mbu_ops.weights import WeightsInfo
from mbu_ops_cli.app import run
from mbu_ops_cli.messages import echo, echo_json

from ..pictures import draw

HOSTILE = "caf\udce9 \x1b[31mred\x1b]0;title\x07\u202e\r\x9b2J"


class Terminal(io.TextIOWrapper):
    """Stdout as it is: UTF-8 or less, and strict."""

    def __init__(self, encoding: str = "utf-8", errors: str = "strict") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors=errors, write_through=True)

    @property
    def shown(self) -> bytes:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue()


@pytest.fixture
def hats(tmp_path: Path) -> str:
    path = tmp_path / "hats.safetensors"
    model = tiny_mbu()
    weights.save(path, model, WeightsInfo("mbu", MBU.config_to_dict(model.config), 16, licence=f"MIT{HOSTILE[5:]}"))
    return str(path)


def is_safe(shown: bytes) -> bool:
    return all(character == "\n" or character.isprintable() for character in shown.decode())


@pytest.mark.parametrize(
    ("encoding", "errors"), [("utf-8", "strict"), ("utf-8", "surrogateescape"), ("ascii", "strict")]
)
def test_text_can_be_shown_anywhere(encoding: str, errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(encoding, errors)
    monkeypatch.setattr(sys, "stdout", terminal)
    echo(f"wrote é {HOSTILE}")
    echo_json({HOSTILE: [HOSTILE, "é"]})
    assert is_safe(terminal.shown)
    first, _, rest = terminal.shown.decode().partition("\n")
    assert first.endswith(r"caf\xe9 \x1b[31mred\x1b]0;title\x07\u202e\x0d\x9b2J")
    assert json.loads(rest) == {HOSTILE: [HOSTILE, "é"]}


def test_text_of_people_stays_as_it_is() -> None:
    text = "naïve 東京 😀\n\tЖ"
    assert printable(text) == text
    assert json.loads(printable_json(text)) == text
    assert "東京 😀" in printable_json(text)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
@pytest.mark.parametrize("options", [(), ("--json",), ("--dry-run",), ("--dry-run", "--json")])
def test_file_names_that_are_no_text(
    options: tuple[str, ...], hats: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{HOSTILE}\nall is well"
    draw(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / f"{name}.jpg").write_bytes(b"")
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    code = run(
        ["chain", f"remove:{hats}", "--no-align", *options, "-i", str(tmp_path / "in"), "-o", str(tmp_path / "o")]
    )
    assert code == (0 if "--dry-run" in options else 1)
    assert is_safe(out.shown)
    assert is_safe(err.shown)
    assert b"all is well" in out.shown + err.shown
    assert not any(line.startswith(b"all is well") for line in (out.shown + err.shown).splitlines())
    if "--json" in options:
        report = json.loads(out.shown)
        found = report["todo"] if "--dry-run" in options else report["written"]
        assert str(tmp_path / "in" / f"{name}.png") in [one["input"] for one in found]
    if "--dry-run" not in options:
        assert (tmp_path / "o" / f"{name}.png").exists()


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_licences_reach_the_terminal_as_text(
    options: tuple[str, ...], hats: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, body = _split(Path(hats))
    info = json.loads(header["__metadata__"]["mbu_ops"]) | {"licence": "MIT\x1b[2J\x9b2J\nsha256  ok"}
    Path(hats).write_bytes(_join(header | {"__metadata__": {"mbu_ops": json.dumps(info)}}, body))
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    assert run(["weights", "info", *options, hats]) == 0
    assert is_safe(out.shown)
    assert not any(line.startswith(b"sha256  ok") for line in out.shown.splitlines())


def test_a_mistaken_option_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    assert run(["chain", "--\x1b[31mx"]) == 2
    assert is_safe(err.shown)
    assert rb"\x1b[31mx" in err.shown


def test_all_output_goes_through_one_function() -> None:
    """Whatever is printed may hold a stranger's text: only a script of ours, and lines that are clean, go past it."""
    folder = Path(mbu_ops_cli.__file__).parent
    past = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("click.echo", "click.secho", "print"):
                past.add(path.relative_to(folder).as_posix())
    assert past == {"messages.py", "tables.py", "commands/completion.py"}


JSON: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "infinity": (lambda text: text.replace('"training": {', '"training": {"a": Infinity'), "finite"),
    "a number that overflows": (lambda text: text.replace('"training": {', '"training": {"a": 1e999'), "finite"),
    "half a character": (
        lambda text: text.replace('"training": {', r'"training": {"a": "\ud800"'),
        "half of a character",
    ),
    "a name twice, within": (
        lambda text: text.replace('"config": {', '"config": {"a": 1, "a": 2, '),
        "stands twice",
    ),
    "true for a schema": (lambda text: text.replace('"schema": 3', '"schema": true'), "expected schema to be 1 to 3"),
    "a list": (lambda text: f"[{text}]", "does not begin with {"),
    "a space before it": (lambda text: f" {text}", "does not begin with {"),
    "nesting without end": (lambda text: '{"a":' * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("case", JSON)
def test_descriptions_are_read_strictly(case: str, hats: str) -> None:
    change, reason = JSON[case]
    header, body = _split(Path(hats))
    text = header["__metadata__"]["mbu_ops"]
    changed = change(text)
    assert changed != text
    Path(hats).write_bytes(_join(header | {"__metadata__": {"mbu_ops": changed}}, body))
    with pytest.raises(WeightsError, match=reason):
        weights.read_info(hats)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_headers_are_utf_8(encoding: str, hats: str) -> None:
    header, body = _split(Path(hats))
    text = json.dumps(header).encode(encoding)
    Path(hats).write_bytes(struct.pack("<Q", len(text)) + text + body)
    with pytest.raises(WeightsError, match="header is damaged"):
        weights.read_info(hats)


def test_plain_objects_are_read() -> None:
    assert parse_object('{"a": [1, 2.5, null, true, {"b": "é"}]}'.encode()) == {"a": [1, 2.5, None, True, {"b": "é"}]}


def _split(path: Path) -> tuple[dict[str, dict[str, str]], bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _join(header: object, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body
