"""Exit codes are a promise to scripts."""

import re

from protoclip_cli.core import errors


def test_the_table_in_the_docstring_is_true():
    table = dict(re.findall(r"(?m)^\s*[*+-] (\w+) +(\d+)", errors.__doc__))
    classes = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ProtoclipError)
    }
    assert {name: int(code) for name, code in table.items()} == classes


def test_a_hint_is_optional():
    assert errors.DataError("x").hint is None
    assert str(errors.DataError("x", hint="y")) == "x"
