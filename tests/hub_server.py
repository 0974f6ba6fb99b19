"""A server of this machine's own that speaks as much of the Hugging Face Hub's protocol as its library uses for us."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_owner"


@dataclass
class Repo:
    """A repository: files by commit, commits by the names of revisions."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], revision: str = "main", message: str = "") -> str:
        """Add files to a revision and return the hash of the commit."""
        before = self.commits.get(self.revisions.get(revision, ""), {})
        oid = hashlib.sha1(f"{len(self.commits)}{sorted(files)}".encode()).hexdigest()
        self.commits[oid] = before | files
        self.revisions[revision] = oid
        self.messages.append(message)
        return oid


@dataclass
class HubServer:
    """Repositories, and what came in; use it as a context manager.

    Attributes:
        repos: by name.
        requests: method and path of each, in order.
        claimed: the size that is told of every file, in place of its own.
        damage: whether a byte of every file is changed on its way.
        writable: whether the token may write.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    claimed: int | None = None
    damage: bool = False
    writable: bool = True

    def __enter__(self) -> HubServer:
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Go out of reach."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def downloads(self) -> list[str]:
        """Return the paths of files that were sent."""
        return [path for method, path in self.requests if method == "GET" and "/resolve/" in path]


class _Handler(BaseHTTPRequestHandler):
    server_hub: HubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._file()

    def do_GET(self) -> None:
        self._file()

    def do_POST(self) -> None:
        path = self._path()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._refuse(401, None, "Invalid username or password.")
        if not self.server_hub.writable:
            return self._refuse(403, None, "You are not allowed to do this")
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        name, action = path.removeprefix("/api/models/").rsplit("/", 2)[:2]
        if action == "preupload":
            asked = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for file in json.loads(body)["files"]
            ]
            return self._json({"files": asked})
        lines = [json.loads(line) for line in body.splitlines()]
        sent = {line["value"]["path"]: line["value"]["content"] for line in lines if line["key"] == "file"}
        summary = next(line["value"]["summary"] for line in lines if line["key"] == "header")
        files = {path: base64.b64decode(content) for path, content in sent.items()}
        oid = self.server_hub.repos[name].commit(files, message=summary)
        return self._json({"commitUrl": f"{self.server_hub.address}/{name}/commit/{oid}", "commitOid": oid})

    def _path(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.server_hub.requests.append((self.command, path))
        return path

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server_hub.repos:
            return self._json({"url": f"{self.server_hub.address}/{name}"}, 409)
        # newer versions of the library name the visibility
        private = bool(asked.get("private")) or asked.get("visibility") == "private"
        self.server_hub.repos[name] = Repo(private)
        return self._json({"url": f"{self.server_hub.address}/{name}"})

    def _file(self) -> None:
        hub = self.server_hub
        name, _, rest = self._path()[1:].partition("/resolve/")
        repo = hub.repos.get(name)
        if repo is None or (repo.private and self.headers.get("Authorization") != f"Bearer {TOKEN}"):
            return self._refuse(401, "RepoNotFound", "Repository not found")
        if repo.gated:
            return self._refuse(403, "GatedRepo", "Access to this model is restricted")
        known = {**repo.revisions, **{oid: oid for oid in repo.commits}}
        revision = next((revision for revision in known if rest.startswith(f"{revision}/")), None)
        if revision is None:
            return self._refuse(404, "RevisionNotFound", "Invalid rev id")
        commit = known[revision]
        content = repo.commits[commit].get(rest.removeprefix(f"{revision}/"))
        if content is None:
            return self._refuse(404, "EntryNotFound", "Entry not found", commit)
        size = len(content) if hub.claimed is None else hub.claimed
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:-1] + bytes([content[-1] ^ 1]) if hub.damage else content)
        return None

    def _refuse(self, status: int, code: str | None, message: str, commit: str | None = None) -> None:
        self.send_response(status)
        if code is not None:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        if commit is not None:
            self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, answer: object, status: int = 200) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
