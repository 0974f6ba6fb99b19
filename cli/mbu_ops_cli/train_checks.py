"""What `mbu-ops train` makes sure of before it reads a picture."""

from __future__ import annotations

from mbu_ops.data import LabelledSource, Source
from mbu_ops.errors import ConfigurationError


def check_source(name: str, source: Source | LabelledSource, variation: float | None, parser: str | None) -> None:
    """Make sure, before pictures are read, that the method learns from such pictures, and has what it needs.

    Raises:
        ConfigurationError: if it does not, or there is no such method.
        WeightsError: if there is no parser where one is needed.
    """
    from mbu_ops.methods import get_method
    from mbu_ops.weights import resolve

    method = get_method(name)
    if method.info.objective is None:
        raise ConfigurationError(f"expected a method that can be trained here, got {name}: choose another --method")
    needs = "parser" in method.info.aids
    if parser is not None and not needs:
        raise ConfigurationError(f"{name} needs no --parser: leave it out")
    if isinstance(source, LabelledSource):
        if needs:
            resolve(parser or source.parser, method="parsing")
        return
    if method.info.learns_from == "parts":
        raise ConfigurationError(
            f"{name} learns from labelled pictures: give --labelled FOLDER, with images/ and masks/"
        )
    if variation is not None:
        raise ConfigurationError("--variation goes with --labelled; guides are varied by --guide-variation")
    if (count := method.info.contents) == len(source.contents):
        return
    if count == 1:
        raise ConfigurationError(
            f"{name} learns one content at once, got {' and '.join(source.contents)}: name one by --attribute, or give "
            "--with and --without folders; --method didd learns two"
        )
    raise ConfigurationError(
        f"{name} learns {count} contents at once: name them by --attributes FIRST,SECOND, or give a --with folder each"
    )


def slow_precision(mixed_precision: str) -> str | None:
    """Return what to tell who trains in a precision that this machine's CPU does not compute in; None if it does.

    Convolutions in bfloat16 took 10 to 27 times as long as in float32 on a CPU without AVX-512.
    """
    import torch

    if mixed_precision != "bf16" or torch.accelerator.is_available():
        return None
    if torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "AVX2"):
        return None
    return "this CPU computes many times slower in bfloat16 than in float32: leave --mixed-precision bf16 out"
