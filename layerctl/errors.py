"""What can go wrong for the user, with its exit code and its sentence.

LayerctlError
+-- UsageError        2   the command line or a preset asks for something that cannot be
|   +-- PresetError   2   a preset file says something we do not understand
+-- ImageError        1   one input cannot be used; the others go on
+-- DocumentError     1   one layered file cannot be used; the others go on
+-- EnvironmentFault  3   model missing or damaged, does not fit, output not writable
|   +-- OutOfMemory   3   the device has no room left for what was begun
+-- Busy             75   another run holds the output folder
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the shell sees; 128 + n after signal n is added by the command line itself."""

    DONE = 0
    SOME_FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    BUSY = 75


class LayerctlError(Exception):
    """Something the user can act on: one sentence that names the thing and says what to do.

    Where several things are wrong at once, each argument is a sentence.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.SOME_FAILED

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class UsageError(LayerctlError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class PresetError(UsageError):
    """A preset says something we do not understand; the sentence names file, line and key."""


class ImageError(LayerctlError):
    """An input file cannot be decomposed; the sentence gives the reason without the path."""


class DocumentError(LayerctlError):
    """A layered file cannot be read, or does not hold what was asked of it."""


class EnvironmentFault(LayerctlError):  # noqa: N818 - a fault of the machine, not of the program
    """This machine cannot do it now: a missing model, too little memory, a read-only folder."""

    exit_code = ExitCode.ENVIRONMENT


class OutOfMemory(EnvironmentFault):
    """The device has no room left for what was begun; with less in it, it may go."""


class Busy(LayerctlError):  # noqa: N818 - a state of the folder
    """Another run holds the output folder."""

    exit_code = ExitCode.BUSY
