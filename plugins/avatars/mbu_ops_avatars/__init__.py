"""Avatars: drawn people with and without glasses, a beard or a smile. Imports neither torch nor the drawing."""

from __future__ import annotations

from mbu_ops.families import read_family

family = read_family(__name__)
"""The family that the entry point names; family.json says what it is, so that it is listed without this import."""
