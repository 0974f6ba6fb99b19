"""Every error this library raises on purpose. Each is also the builtin that a caller would expect."""

from __future__ import annotations


class MBUOpsError(Exception):
    """Base of all errors of this library: the message says what was expected, what came, and what to do."""


class GuideWarning(UserWarning):
    """A guide picture that may not show what is to be taken from it; the edit is made all the same."""


class ConfigurationError(MBUOpsError, ValueError):
    """A setting, or a combination of settings, that cannot work."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether memory ran out: an accelerator has an error of its own for that, the CPU only a message.

    Example:
        >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"))
        True
    """
    return type(error).__name__ == "OutOfMemoryError" or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


class ShapeError(MBUOpsError, ValueError):
    """A tensor of the wrong shape."""


class DTypeError(MBUOpsError, TypeError):
    """A tensor of the wrong dtype, or something that is no tensor."""


class DeviceError(MBUOpsError, ValueError):
    """Tensors that should share a device and do not."""


class UnsupportedVerbError(MBUOpsError, NotImplementedError):
    """A method was asked for a verb it does not have."""


class ChainSyntaxError(MBUOpsError, ValueError):
    """A chain step that does not follow the grammar."""


class ExportError(MBUOpsError, RuntimeError):
    """An op that a graph or a file cannot say, or a file that does something else than its op."""


class FamilyError(MBUOpsError, LookupError):
    """An unknown family or attribute, or a family that cannot be used (then it is a :class:`PluginError`)."""


class PluginError(FamilyError):
    """A family that is known but cannot be used, because its plugin is broken."""


class WeightsError(MBUOpsError, ValueError):
    """A weights file that is missing, foreign, damaged or does not match what was promised."""


class MissingPackageError(WeightsError, ModuleNotFoundError):
    """Weights that need a package which is not installed: the message says what for, and what installs it."""


class FrameError(MBUOpsError, LookupError):
    """A photo in which there is nothing to work on: what the family edits was not found in it."""


class ImageFileError(MBUOpsError, OSError):
    """An image file that cannot be read or written."""


class VideoFileError(ImageFileError):
    """A video or an animation that cannot be read, edited or written."""


class DataError(MBUOpsError, ValueError):
    """A set of images that cannot be trained or measured on."""


class TrainingStateError(MBUOpsError, RuntimeError):
    """A training state that cannot be saved, or does not fit the run that wants to resume it."""
