"""What parts recipes: the keys whose values are not the same in all of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

_OF_THE_RUN = frozenset({"seed", "name"})
_NO_KEY = object()


def shape_of(recipe: Mapping[str, Any]) -> str:
    """What is the same in all seeds of an experiment: the recipe without its name and seed.

    >>> shape_of({"name": "a", "seed": 1, "k": 2}) == shape_of({"name": "b", "seed": 2, "k": 2})
    True
    """
    return json.dumps(_lasting(recipe), sort_keys=True, default=str)


def differing(recipes: Sequence[Mapping[str, Any]]) -> dict[str, list[str | None]]:
    """The keys in which recipes differ, and the value of each recipe as text.

    Args:
        recipes: resolved ones. Their names and seeds are left out.

    Returns:
        By dotted key, in the order of their first place. None: this recipe has no such key. A part that
        some recipes lack is one key with all that is in it.

    >>> differing([{"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}])
    {'a.b': ['1', '3']}
    >>> differing([{"a": None}, {"a": {"b": 3}}, {}])
    {'a': ['null', '{b: 3}', None]}
    """
    return dict(_differing([_lasting(recipe) for recipe in recipes], ""))


def _lasting(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key not in _OF_THE_RUN}


def _differing(values: Sequence[Any], path: str) -> Iterator[tuple[str, list[str | None]]]:
    if not path or all(isinstance(value, dict) for value in values):
        for key in dict.fromkeys(key for value in values for key in value):
            inner = [value.get(key, _NO_KEY) for value in values]
            yield from _differing(inner, f"{path}.{key}" if path else str(key))
        return
    texts = [_text(value) for value in values]
    if len(set(texts)) > 1:
        yield path, texts


def _text(value: Any) -> str | None:
    if value is _NO_KEY:
        return None
    if isinstance(value, dict | list):
        flow = yaml.safe_dump(
            value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf
        )
        return flow.strip()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
