"""Errors a user can cause, and the exit code each ends a command with.

* ProtoclipError      1  something went wrong while running
  + UsageError        2  the command was called in a way that cannot work
  + RecipeError       3  the recipe cannot be run as written
  + DataError         4  a file, row or table is not what it should be
    - BadImage        4  one image cannot be used; training replaces its row
  + MissingExtra      5  an optional package is not installed
  + ResourceError     6  disk or memory ran out
  + Stopped          75  a signal asked the run to stop; it can be continued
  + Interrupted     130  Ctrl-C asked the run to stop; it can be continued

The command line prints these as one `error:` line and one `hint:` line. Any other exception is a bug in
protoclip and keeps its traceback.
"""

from __future__ import annotations


class ProtoclipError(Exception):
    """An error the user can fix. `hint` says how, in one sentence."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ProtoclipError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class RecipeError(ProtoclipError):
    """The recipe cannot be run as written."""

    exit_code = 3


class DataError(ProtoclipError):
    """A file, row or table is not what it should be."""

    exit_code = 4


class BadImage(DataError):
    """One image cannot be used."""


class MissingExtra(ProtoclipError):
    """An optional package is not installed."""

    exit_code = 5


class ResourceError(ProtoclipError):
    """Disk or memory ran out."""

    exit_code = 6


class Stopped(ProtoclipError):
    """A signal asked the run to stop, and it can be continued."""

    exit_code = 75


class Interrupted(Stopped):
    """Ctrl-C asked the run to stop, and it can be continued."""

    exit_code = 130
