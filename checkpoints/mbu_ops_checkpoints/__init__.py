"""Trained weights as packaged data: ``*.safetensors``, one card (``*.md``) each. Found with :mod:`importlib.resources`."""
