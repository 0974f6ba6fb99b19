"""Files that lie inside a plugin's package. No torch in here."""

from __future__ import annotations

import contextlib
from importlib import resources
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path


def package_files(package: str, *, without_import: bool = False) -> Traversable:
    """Return the folder of a package, whose code is not run where it is a plain folder on the path.

    Args:
        package: its name.
        without_import: raise rather than run its code, or that of the package that it lies in.

    Raises:
        ModuleNotFoundError: if the package is not installed, or would have to be imported although it must not.

    Example:
        >>> package_files("mbu_ops_faces").joinpath("weights.json").is_file()
        True
    """
    with contextlib.suppress(ValueError):  # a module that something else than an import made
        # the package that another one lies in would be imported
        found = find_spec(package) if "." not in package else None
        if found is not None and found.has_location and found.submodule_search_locations:
            folder = Path(found.submodule_search_locations[0])
            if folder.is_dir():
                return folder
    if without_import:
        raise ModuleNotFoundError(f"{package!r} is no folder with a package")
    return resources.files(package)


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
        return package_files(self.package).joinpath(self.file)
