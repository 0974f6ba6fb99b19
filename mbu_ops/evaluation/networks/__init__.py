"""Pretrained networks that measure: who a face is, and what a picture looks like.

Nothing that edits needs them, so their weights are in a distribution of their own, ``mbu-ops-measuring``.
"""

from mbu_ops.weights.packaged import NetworkFile


def measuring_file(file: str, purpose: str) -> NetworkFile:
    """Return the weights of a network that only measures.

    Args:
        file: path inside the package ``mbu_ops_measuring``, with forward slashes.
        purpose: what needs the network, such as "grading edits".

    Example:
        >>> measuring_file("eye_colour.safetensors", "telling the colour of eyes").distribution
        'mbu-ops-measuring'
    """
    return NetworkFile(file, "mbu_ops_measuring", "mbu-ops-measuring", purpose)
