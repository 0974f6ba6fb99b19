"""A report on disk: figures as JSON and as a table, sheets of pictures; taken up again where it was left."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mbu_ops.errors import ConfigurationError
from mbu_ops.evaluation.figures import Figure
from mbu_ops.files import atomic_path, read_text

METRICS, TABLE = "metrics.json", "report.md"


class Report:
    """Figures of one or more weights, measured alike, in a folder.

    Args:
        folder: where it lives; made if missing.
        settings: how everything in it is measured, as JSON holds it.

    Raises:
        ConfigurationError: if the folder holds a report with other settings, or cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder
        self._settings = json.loads(json.dumps(settings))
        self._measured: dict[str, dict[str, Any]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / METRICS).is_file():
                known = json.loads(read_text(folder / METRICS))
                if known["settings"] != self._settings:
                    saved = dict(known["settings"])
                    differing = [
                        f"{name} (there {saved.get(name)!r}, now {self._settings.get(name)!r})"
                        for name in {**saved, **self._settings}
                        if saved.get(name) != self._settings.get(name)
                    ]
                    raise ConfigurationError(
                        f"{str(folder)!r} holds a report with other settings: {'; '.join(differing)}; use another "
                        "folder"
                    )
                self._measured = dict(known["weights"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(f"{str(folder)!r} cannot be a report's folder: {error}") from error

    def figures(self, name: str, files: Mapping[str, str]) -> list[Figure] | None:
        """Return what was measured of weights before, None if nothing or a file was another then.

        Args:
            name: what the weights are called.
            files: digests of the files that the figures depend on, by what they are for.
        """
        entry = self._measured.get(name)
        same = entry is not None and all(entry.get(kind) == digest for kind, digest in files.items())
        return [Figure(**figure) for figure in entry["figures"]] if entry and same else None

    def add(self, name: str, files: Mapping[str, str], figures: Sequence[Figure]) -> None:
        """Note what was measured of weights, and write it at once; arguments as in :meth:`figures`."""
        self._measured[name] = {**files, "figures": [asdict(figure) for figure in figures]}
        with atomic_path(self.folder / METRICS) as temporary:
            content = {"settings": self._settings, "weights": self._measured}
            temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def sheets(self, name: str) -> Path:
        """Return the folder for the sheets of weights; made if missing."""
        folder = self.folder / re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.")
        folder.mkdir(exist_ok=True)
        return folder

    def write_table(
        self, title: str, measured: Mapping[str, Sequence[Figure]], sheets: Mapping[str, Sequence[Path]]
    ) -> Path:
        """Write the table and links to the sheets, and return where."""
        lines = [f"# {title}", "", table(measured), ""]
        lines += ["Settings:", "", "```json", json.dumps(self._settings, indent=2), "```", ""]
        for name, paths in sheets.items():
            lines += [f"## {name}", ""]
            lines += [f"![{path.stem}]({path.relative_to(self.folder).as_posix()})\n" for path in paths]
        path = self.folder / TABLE
        with atomic_path(path) as temporary:
            temporary.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
        return path


def table(measured: Mapping[str, Sequence[Figure]]) -> str:
    """Return figures as a Markdown table: a row for each, a column for each of the weights.

    Args:
        measured: figures by the weights' name.

    Example:
        >>> print(table({"a": [Figure("add", "added", 0.5, 0.4, 0.6, 10, "share")], "b": []}))
        | | a | b |
        |---|---|---|
        | added | 50.0% [40.0%, 60.0%] n=10 | |
    """
    titles = dict.fromkeys(figure.title for figures in measured.values() for figure in figures)
    rows = [f"| | {' | '.join(measured)} |", "|---" * (len(measured) + 1) + "|"]
    for title in titles:
        cells = []
        for figures in measured.values():
            found = next((figure for figure in figures if figure.title == title), None)
            cells.append(f" {found.short()} " if found else " ")
        rows.append(f"| {title} |{'|'.join(cells)}|")
    return "\n".join(rows)
