import pytest
from pydantic import Field, ValidationError

from protoclip_cli.core.spec import Spec


class Inner(Spec):
    rate: float = 1.0
    """The rate."""


class Outer(Spec):
    size: int
    inner: Inner = Inner()
    names: list[str] = Field(default_factory=list)


def messages(value):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(value)
    return {
        ".".join(map(str, entry["loc"])): entry["msg"] for entry in caught.value.errors(include_url=False)
    }


def test_all_mistakes_come_at_once_with_advice():
    found = messages({"sise": 3, "inner": {"rat": 1, "rate": "fast"}, "names": "a", "qqq": 0})
    assert found["sise"] == "unknown key; did you mean 'size'?"
    assert found["qqq"] == "unknown key"
    assert found["size"] == "this key is missing"
    assert found["inner.rat"] == "unknown key; did you mean 'rate'?"
    assert "valid number" in found["inner.rate"]
    assert "valid list" in found["names"]
    assert len(found) == 6


def test_numbers_as_text_are_numbers_and_infinity_is_none():
    assert Inner.model_validate({"rate": "1e-4"}).rate == 1e-4
    for rate in (float("inf"), float("nan"), ".inf"):
        with pytest.raises(ValidationError):
            Inner.model_validate({"rate": rate})


def test_a_spec_never_changes():
    with pytest.raises(ValidationError, match="frozen"):
        Inner().rate = 2.0


def test_the_string_below_a_field_describes_it():
    assert Inner.model_fields["rate"].description == "The rate."
