"""How much is edited at most. No imports: the command line reads it before it loads anything."""

MAX_FRAMES = 3000
"""Frames of the longest clip that is edited unless the caller says otherwise: 100 s at 30 frames a second."""
