"""Weights on the Hugging Face Hub: ``hf://user/repo[/file.safetensors][:revision]``, the only names that use a network.

The revision stands last and behind a colon: neither Git nor the Hub allows one in a name, no shell reads anything into
it, and the at sign belongs to a step's guide.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeGuard

from mbu_ops.errors import MBUOpsError, MissingPackageError, WeightsError
from mbu_ops.files import read_regular, sha256_of
from mbu_ops.foreign import one_line
from mbu_ops.weights.card import save_pretrained
from mbu_ops.weights.file import TRAINED, Pretrained

PREFIX = "hf://"

LARGEST_DOWNLOAD = 2**30
"""Bytes; the files that come with families take five to seven million."""

_WORD = r"[A-Za-z0-9_][\w.-]*"
_NAME = re.compile(
    rf"{PREFIX}(?P<repo>{_WORD}/{_WORD})(?:/(?P<file>{_WORD}(?:/{_WORD})*))?(?::(?P<revision>{_WORD}(?:/{_WORD})*))?",
    re.ASCII,
)
_LOG_IN = "log in by 'hf auth login', or set HF_TOKEN"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A weights file on the Hub.

    Attributes:
        repo: the repository, ``user/name``.
        file: its path there.
        revision: a branch, a tag or a commit's hash.

    Example:
        >>> HubFile.parse("hf://ann/hats:v1")
        HubFile(repo='ann/hats', file='weights.safetensors', revision='v1')
        >>> str(HubFile("ann/hats", "small/hats.safetensors", "refs/pr/2"))
        'hf://ann/hats/small/hats.safetensors:refs/pr/2'
    """

    repo: str
    file: str = TRAINED
    revision: str = "main"

    @classmethod
    def parse(cls, name: str) -> HubFile:
        """Read ``hf://user/repo[/file.safetensors][:revision]``.

        Raises:
            WeightsError: if it is no such name, or names a file of another kind.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise WeightsError(
                f"{name}: expected hf://user/repo or hf://user/repo/file.safetensors, and a revision after a colon, as "
                "in hf://user/repo:main"
            )
        file = cls(**{part: text for part, text in found.groupdict().items() if text is not None})
        if not file.file.endswith(".safetensors"):
            raise WeightsError(
                f"{name}: only .safetensors files are read, since others can run code; got {file.file!r}"
            )
        return file

    def __str__(self) -> str:
        file = "" if self.file == TRAINED else f"/{self.file}"
        return f"{PREFIX}{self.repo}{file}:{self.revision}"


def is_hub_name(name: object) -> TypeGuard[str]:
    """Tell whether weights are named by their place on the Hub.

    Example:
        >>> is_hub_name("hf://ann/hats"), is_hub_name("faces/glasses")
        (True, False)
    """
    return isinstance(name, str) and name.startswith(PREFIX)


def fetch(name: str) -> tuple[Path, HubFile]:
    """Return a file of the Hub in the Hub's own cache, downloaded if it is not there.

    What a commit's hash names is asked of the server once; other revisions each time, unless it cannot be reached or
    ``HF_HUB_OFFLINE=1`` is set: then what was downloaded last is taken.

    Args:
        name: see :meth:`HubFile.parse`.

    Returns:
        The file, of the size and digest that the server promised, and its name with the commit's hash for a revision.

    Raises:
        MissingPackageError: if huggingface_hub is not installed.
        WeightsError: if there is no such file, it cannot be reached, is too large, or came damaged.
    """
    wanted = HubFile.parse(name)
    hub = _hub()
    with _explained(name):
        found = hub.hf_hub_download(wanted.repo, wanted.file, revision=wanted.revision, dry_run=True)
        promised: str | None = None
        if found.will_download:
            url = hub.hf_hub_url(wanted.repo, wanted.file, revision=found.commit_hash)
            told = hub.get_hf_file_metadata(url)
            _check_size(name, told.size)
            promised = told.etag
        path = Path(hub.hf_hub_download(wanted.repo, wanted.file, revision=wanted.revision))
        if promised is not None and digest(path, promised) != promised:
            path.resolve().unlink()  # what its name in the cache is a link to
            path.unlink(missing_ok=True)
            raise WeightsError(f"{name}: the file came damaged: its digest is not the promised {promised}; try again")
    # the cache keeps each commit's files in a folder of its hash
    return path, replace(wanted, revision=path.parents[wanted.file.count("/")].name)


def pin(name_or_path: str | os.PathLike[str]) -> str:
    """Return a name that will always mean the same weights: of weights on the Hub, one with the commit's hash.

    Args:
        name_or_path: as :func:`mbu_ops.weights.resolve` takes it; what is not on the Hub keeps its name.

    Raises:
        MissingPackageError: see :func:`fetch`.
        WeightsError: see :func:`fetch`.

    Example:
        >>> pin("faces/glasses")
        'faces/glasses'
    """
    return str(fetch(name_or_path)[1]) if is_hub_name(name_or_path) else os.fspath(name_or_path)


def push_to_hub(
    pretrained: Pretrained,
    repo: str,
    *,
    token: str | None = None,
    private: bool | None = None,
    commit_message: str = "Upload weights of mbu-ops",
) -> str:
    """Upload weights and their card, as :func:`mbu_ops.weights.save_pretrained` writes them, in one commit.

    Args:
        pretrained: all of the networks, as :func:`mbu_ops.weights.load_pretrained` returns them.
        repo: ``user/name``; made if it is not there.
        token: of an account that may write there; by default the one that is logged in, or ``HF_TOKEN``.
        private: whether a new repository is; by default as the account has it. One that is there stays as it is.
        commit_message: what the commit says.

    Returns:
        The name of what was uploaded, with the commit's hash.

    Raises:
        ConfigurationError: if these are not all of a method's networks.
        MissingPackageError: if huggingface_hub is not installed.
        WeightsError: if the name is none, or the Hub cannot be reached or refuses.
    """
    target = HubFile.parse(f"{PREFIX}{repo.removeprefix(PREFIX)}")
    if str(target) != str(HubFile(target.repo)):
        raise WeightsError(f"{repo}: expected the name of a repository alone, as in user/repo")
    hub = _hub()
    with TemporaryDirectory() as folder:
        save_pretrained(pretrained, folder)
        with _explained(str(target)):
            api = hub.HfApi(token=token)
            api.create_repo(target.repo, private=private, exist_ok=True)
            commit = api.upload_folder(repo_id=target.repo, folder_path=folder, commit_message=commit_message)
    return str(replace(target, revision=commit.oid))


def _hub() -> Any:
    try:
        return import_module("huggingface_hub")
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "weights on the Hugging Face Hub need the package huggingface_hub, which is not installed: "
            "pip install 'mbu-ops[hub]'"
        ) from error


def _check_size(name: str, size: int | None) -> None:
    if size is None or size > LARGEST_DOWNLOAD:
        got = "a file of unknown size" if size is None else f"{size} bytes"
        raise WeightsError(f"{name}: expected at most {LARGEST_DOWNLOAD} bytes, got {got}; nothing was downloaded")


def digest(path: Path, promised: str) -> str:
    """Return a file's digest of the kind that the server promised: SHA-256, or Git's own for files that Git holds."""
    if len(promised) == 64:
        return sha256_of(path)
    content = read_regular(path, LARGEST_DOWNLOAD)
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever stops the Hub's own library into an error that says what to do."""
    try:
        yield
    except MBUOpsError:
        raise
    except Exception as error:  # several libraries' own, down to that of the connection
        raise WeightsError(f"{name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    errors, details = import_module("huggingface_hub.errors"), one_line(error.__cause__ or error)
    # from the special to the general: most are kinds of those further down
    reasons = (
        (errors.GatedRepoError, f"its owner has to let you in: ask for it on its page, then {_LOG_IN}"),
        (errors.RepositoryNotFoundError, f"no such repository, or a private one: check the name, or {_LOG_IN}"),
        (errors.RevisionNotFoundError, "the repository has no such revision"),
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE forbids to use the network"),
        (errors.LocalEntryNotFoundError, f"not downloaded before, and the Hub is out of reach ({details})"),
        (errors.EntryNotFoundError, "the repository holds no such file: name one, as in hf://user/repo/my.safetensors"),
    )
    found = next((reason for kind, reason in reasons if isinstance(error, kind)), None)
    if found is None and getattr(getattr(error, "response", None), "status_code", None) in (401, 403):
        return f"the Hub refused it ({details}): {_LOG_IN}, with an account that may do this"
    return found or f"the Hub could not do it ({details})"
