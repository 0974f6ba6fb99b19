"""Edits inside other engines, one module each; each imports its engine, which an extra brings."""
