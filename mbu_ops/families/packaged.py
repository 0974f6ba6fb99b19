"""Files that lie inside a plugin's package. No torch in here."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable


class PackagedFile:
    """What specifications of files have in common: where the file is.

    Attributes:
        file: path inside ``package``, with forward slashes.
        package: importable package that holds the file.
    """

    __slots__ = ()
    file: str
    package: str

    def locate(self) -> Traversable:
        """Return where the file should be; it need not exist.

        Raises:
            ModuleNotFoundError: if the package is not installed.
        """
        return resources.files(self.package).joinpath(self.file)
