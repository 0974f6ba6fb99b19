"""Objectives by the names of their options, as settings files give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from mbu_ops.objectives import build_objective, objective_of


def named(
    model: Any,
    recipe: str,
    overrides: Mapping[str, float] | None = None,
    aids: Mapping[str, nn.Module] | None = None,
    **options: Any,
) -> Any:
    """Return the objective of some networks, with loss weights and other options."""
    kind = objective_of(type(model)).options
    return build_objective(model, kind(recipe=recipe, loss_weights=tuple((overrides or {}).items()), **options), aids)
