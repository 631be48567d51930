"""How commands end, whatever ends them."""

import os

import click
import pytest
import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.core import errors

KINDS = [
    errors.ProtoclipError,
    errors.UsageError,
    errors.RecipeError,
    errors.DataError,
    errors.MissingExtra,
    errors.ResourceError,
    errors.Stopped,
    errors.Interrupted,
]


def end(error, **options):
    with pytest.raises((typer.Exit, click.exceptions.Exit)) as caught, clean_end(**options):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_a_line_a_hint_and_a_code(kind, capsys):
    assert end(kind("it broke", hint="mend it")) == kind.exit_code
    assert capsys.readouterr() == ("", "error: it broke\nhint: mend it\n")
    assert end(kind("it broke")) == kind.exit_code
    assert capsys.readouterr() == ("", "error: it broke\n")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (MemoryError(), 6, "error: the machine's memory is full\nhint: lower batch.size"),
        (
            RuntimeError("CUDA out of memory. Tried"),
            6,
            "error: the accelerator's memory is full\nhint: lower",
        ),
    ],
)
def test_what_python_raises_has_words_too(error, code, words, capsys):
    assert end(error) == code
    assert capsys.readouterr().err.startswith(words)


def test_a_bug_keeps_its_traceback():
    with pytest.raises(RuntimeError, match="shapes"), clean_end():
        raise RuntimeError("shapes")


@pytest.mark.parametrize("error", [errors.DataError("x"), KeyboardInterrupt(), MemoryError()])
def test_debug_shows_the_traceback_of_everything(error):
    with pytest.raises(type(error)), clean_end(debug=True):
        raise error


def test_strangers_text_is_shown_and_not_obeyed(capsys):
    end(errors.DataError("\x1b[2Ja\r\nb [bold]c[/bold] \u202e é 🐕", hint="\x07"))
    assert capsys.readouterr().err == ("error: \\x1b[2Ja\\r\nb [bold]c[/bold] \\u202e é 🐕\nhint: \\x07\n")


def test_a_reader_that_has_gone_is_no_error(tmp_path, monkeypatch):
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert end(BrokenPipeError()) == 0
        os.close(os.dup(out.fileno()))


@pytest.mark.parametrize("kind", [errors.RecipeError, errors.UsageError, errors.Stopped])
def test_what_all_processes_say_is_said_once(kind, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    assert end(kind("x")) == kind.exit_code
    assert capsys.readouterr().err == ""
    assert end(errors.DataError("only here")) == 4
    assert capsys.readouterr().err == "error: only here\n"
