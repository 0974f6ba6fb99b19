"""Trained weights as packaged data: ``*.safetensors``, one card (``*.md``) each; see :mod:`importlib.resources`."""
