"""Which pictures of a labelled set show an attribute. No torch in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Rule = tuple[tuple[str, ...], ...]
"""Any of these, each being all of those labels; ``"!Label"`` means that the label is absent."""


def rule_holds(rule: Rule, labels: Mapping[str, bool]) -> bool:
    """Return whether a picture with these labels follows the rule.

    Args:
        rule: see :data:`Rule`.
        labels: every label that the rule may name, and whether the picture has it.

    Raises:
        KeyError: if the rule names a label that ``labels`` lacks.

    Example:
        >>> bearded = (("Male", "Goatee"), ("Male", "!No_Beard"))
        >>> rule_holds(bearded, {"Male": True, "Goatee": False, "No_Beard": True})
        False
    """
    return any(all(labels[label.removeprefix("!")] != label.startswith("!") for label in group) for group in rule)


def contradictory(alternative: Sequence[str]) -> bool:
    """Return whether labels ask for one to be there and absent."""
    return any(f"!{label}" in alternative for label in alternative)
