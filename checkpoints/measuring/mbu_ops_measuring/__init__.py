"""Trained weights that only measure, as packaged data: ``*.safetensors``, and cards (``*.md``) that describe them."""
