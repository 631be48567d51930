import re
import sys
from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.core.named_class import PATTERN
from protoclip_cli.core.spec import Spec
from protoclip_cli.objectives import OBJECTIVES, ObjectiveSpec
from protoclip_cli.optimization.schedules import SCHEDULES


class Recipe(BaseModel):
    term: OBJECTIVES.any
    schedule: SCHEDULES.any = Field({"kind": "constant"}, validate_default=True)


def test_kinds_are_the_public_modules_in_order():
    kinds = OBJECTIVES.kinds()
    assert kinds == sorted(kinds)
    assert {"info_nce", "seed"} <= set(kinds)
    assert not {"base", "_queue", "__init__"} & set(kinds)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(ValueError, match=r"^unknown kind 'info_nec'; did you mean 'info_nce'\?$"):
        OBJECTIVES.spec("info_nec")


def test_a_kind_like_no_other_lists_all():
    with pytest.raises(ValueError, match=r"^unknown kind 'xyz'; choose from .*info_nce.*seed"):
        OBJECTIVES.spec("xyz")


def test_a_kind_is_no_way_to_import_something_else():
    for kind in ("base", "_queue", "../core/spec", "os", ""):
        with pytest.raises(ValueError, match="unknown kind"):
            OBJECTIVES.spec(kind)


def test_a_module_without_its_spec_is_a_bug_and_says_so():
    with pytest.raises(TypeError, match=r"protoclip_cli.core.errors must define one Spec, not 0"):
        Catalog("protoclip_cli.core", Spec).spec("errors")


def test_the_kind_chooses_the_type_and_values_survive():
    term = Recipe(term={"kind": "seed", "queue": 7}).term
    assert isinstance(term, OBJECTIVES.spec("seed"))
    assert Recipe(term=term).term is term
    assert Recipe.model_validate(Recipe(term=term).model_dump(mode="json")).term == term


def test_a_kind_must_be_given_where_none_is_the_default():
    with pytest.raises(ValidationError, match=r"needs a `kind`, one of .*info_nce"):
        Recipe(term={})
    assert Recipe(term={"kind": "info_nce"}, schedule={"warmup": 3}).schedule.kind == "cosine"


@pytest.mark.parametrize("value", [None, 3, "info_nce", ["info_nce"]])
def test_something_that_is_no_mapping_is_refused(value):
    with pytest.raises(ValidationError):
        Recipe(term=value)


def test_every_kind_is_one_branch_of_the_schema_and_no_reference_leaves_it():
    schema = Recipe.model_json_schema()["properties"]
    branches = schema["term"]["oneOf"]
    *shipped, own = branches
    assert [branch["properties"]["kind"]["const"] for branch in shipped] == OBJECTIVES.kinds()
    assert own["properties"]["kind"]["pattern"] == PATTERN
    assert "$ref" not in str(branches)
    cosine = next(b for b in schema["schedule"]["oneOf"] if b["properties"]["kind"].get("const") == "cosine")
    assert "kind" not in cosine["required"]
    assert all("kind" in branch["required"] for branch in branches)


def test_specs_are_of_the_catalogs_base():
    assert all(issubclass(OBJECTIVES.spec(kind), ObjectiveSpec) for kind in OBJECTIVES.kinds())


class SteadySpec(SCHEDULES.spec("constant")):
    """A schedule of somebody's own, here because every test module is one that can be imported."""

    kind: str
    steepness: float = 1.0
    """Of nothing."""


class NamedSpec(SteadySpec):
    """One that calls itself something."""

    kind: Literal["named"]


@pytest.fixture
def own(monkeypatch):
    """The kind of `SteadySpec`."""
    monkeypatch.setitem(sys.modules, "own_schedules", sys.modules[__name__])
    return "own_schedules:SteadySpec"


def test_a_kind_of_ones_own_works_like_a_shipped_one_and_comes_back(own):
    value = {"kind": own, "warmup": 3, "steepness": 2}
    schedule = Recipe(term={"kind": "info_nce"}, schedule=value).schedule
    assert type(schedule) is SteadySpec
    assert (schedule.kind, schedule.warmup, schedule.steepness) == (own, 3, 2.0)
    dumped = Recipe(term={"kind": "info_nce"}, schedule=schedule).model_dump(mode="json")
    assert Recipe.model_validate(dumped).schedule == schedule
    with pytest.raises(ValidationError, match="did you mean 'steepness'"):
        Recipe(term={"kind": "info_nce"}, schedule={"kind": own, "stepness": 2})


def test_a_kind_of_another_catalog_is_refused(own):
    with pytest.raises(
        ValueError, match=r"must be derived from protoclip_cli\.objectives\.base\.ObjectiveSpec"
    ):
        OBJECTIVES.spec(own)


def test_a_class_of_ones_own_leaves_its_kind_to_the_recipe(own):
    with pytest.raises(ValueError, match=r"calls itself kind 'named'; leave `kind` out of the class$"):
        SCHEDULES.spec(own.replace("Steady", "Named"))


def test_the_schema_takes_a_kind_of_ones_own_by_its_pattern_alone():
    assert re.fullmatch(PATTERN, "my_package.losses:MarginSpec")
    for kind in [*OBJECTIVES.kinds(), "a:b:c", ":b", "a:", "a.:b", "../a:b", "a/b:c", "1a:b"]:
        assert not re.fullmatch(PATTERN, kind), kind
