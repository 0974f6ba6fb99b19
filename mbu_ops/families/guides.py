"""Pictures that come with a family and say what to add where nobody names a guide. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ops.families.checks import MODULE, check_file, check_name, check_pattern, check_text
from mbu_ops.families.packaged import PackagedFile


@dataclass(frozen=True, slots=True)
class GuideSpec(PackagedFile):
    """One picture of a content that comes with a family.

    It shows one of the family's frames. With an alpha channel it shows the content alone, and nobody's face.

    Attributes:
        name: name among the guides of its attribute, for the list of them.
        title: what it shows, for people.
        attribute: name of the attribute.
        file: path inside ``package``, with forward slashes.
        package: importable package that holds the file.
        credit: who made it and under which licence.
        frame: name of the family's frame that it shows; None for the first.

    Raises:
        ConfigurationError: if a field is malformed.

    Example:
        >>> GuideSpec("top_hat", "Top hat", "hat", "guides/top_hat.png", "my_hats", "drawn by us; CC0").frame is None
        True
    """

    name: str
    title: str
    attribute: str
    file: str
    package: str
    credit: str
    frame: str | None = None

    def __post_init__(self) -> None:
        where = f"guide {self.name!r}"
        check_name("guide name", self.name)
        check_text(where, "title", self.title)
        check_name(f"{where}: attribute", self.attribute)
        check_file(where, self.file)
        check_pattern(where, "package", self.package, MODULE)
        check_text(where, "credit", self.credit)
        if self.frame is not None:
            check_name(f"{where}: frame", self.frame)
