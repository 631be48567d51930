"""How commands end: one line that says what is wrong, one that says what to do, and an exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from protoclip_cli.core.errors import ProtoclipError, RecipeError, Stopped, UsageError

_FIRST_SPEAKS_SECONDS = 2.0


@contextmanager
def clean_end(*, debug: bool = False) -> Iterator[None]:
    """Turn errors inside into words and an exit code; with `debug`, let them through with their traceback."""
    try:
        yield
    except ProtoclipError as error:
        if debug:
            raise
        if os.environ.get("RANK", "0") != "0" and isinstance(error, UsageError | RecipeError | Stopped):
            # The first process says it for all; and a launcher ends it too as soon as this one has ended.
            time.sleep(_FIRST_SPEAKS_SECONDS)
            raise typer.Exit(error.exit_code) from None
        tell(f"error: {printable(str(error))}")
        if error.hint:
            tell(f"hint: {printable(error.hint)}")
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        if debug:
            raise
        tell("interrupted")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does: no error, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except MemoryError:
        if debug:
            raise
        _out_of_memory("the machine's memory is full")
    except RuntimeError as error:
        if debug or "out of memory" not in str(error):
            raise
        _out_of_memory("the accelerator's memory is full")


def _out_of_memory(what: str) -> None:
    tell(f"error: {what}")
    tell("hint: lower batch.size, raise batch.accumulate, or set compute.grad_checkpointing: true")
    raise typer.Exit(6)


def tell(line: str) -> None:
    """Say a line on stderr, where words go."""
    typer.echo(line, err=True)


def printable(text: str) -> str:
    r"""Text of strangers without what a terminal would obey.

    >>> printable("a\x1b[31mb\tc")
    'a\\x1b[31mb\tc'
    """
    return "".join(
        character if character.isprintable() or character in "\n\t" else repr(character)[1:-1]
        for character in text
    )
