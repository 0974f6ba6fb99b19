"""Which of a family's weights come first. No torch in here."""

from __future__ import annotations

from mbu_ops.families.spec import FamilySpec, WeightSpec


def weights_for(
    family: FamilySpec,
    attribute: str,
    *,
    verb: str | None = None,
    method: str | None = None,
    guided: bool = False,
) -> list[WeightSpec]:
    """Return a family's weights that can edit an attribute, in the order in which they are taken.

    That is the order of the family's list, but for those that are first for the verb.

    Args:
        family: the family.
        attribute: name of one of its attributes.
        verb: what they must serve, as far as their list says which verbs they serve, such as ``transfer``.
        method: name of the method that they must be of.
        guided: whether a guide is named: then only those that follow guides count, unless there are none.

    Example:
        >>> from mbu_ops.families import get_family
        >>> [spec.id for spec in weights_for(get_family("handbags"), "handle", verb="remove")]
        ['native_guided-lite', 'mbu-lite']
    """
    found = [
        spec
        for spec in family.weights
        if attribute in spec.attributes
        and method in (None, spec.method)
        and (verb is None or not spec.verbs or verb in spec.verbs)
    ]
    if guided:
        found = [spec for spec in found if spec.follows_guides] or found
    return sorted(found, key=lambda spec: verb not in spec.first_for)
