"""The parts of a network in the order of its depth, read off how its modules are nested."""

from __future__ import annotations

from torch import nn

_LISTS = (nn.Sequential, nn.ModuleList)
_LAST = ("proj", "text_projection", "visual_projection")


def stages(module: nn.Module) -> list[list[str]]:
    """Names of parameters, in groups from the input to the output.

    A residual network's groups are its stem and its stages; a transformer's its embeddings and its blocks. A
    layer without parts, such as a last norm, belongs to the group before it.

    Args:
        module: whose children were made in the order in which they run.

    >>> block = lambda: nn.Sequential(nn.Sequential(nn.Linear(1, 1, bias=False)))
    >>> stages(nn.Sequential(nn.Linear(1, 1), block(), block(), nn.LayerNorm(1, bias=False)))
    [['0.weight', '0.bias'], ['1.0.0.weight'], ['2.0.0.weight', '3.weight']]
    """
    groups = _groups(module, "")
    loose = [name for name, _ in module.named_parameters(recurse=False)]
    last = [name for name in loose if name in _LAST]
    groups = groups or [[]]
    groups[0] = [name for name in loose if name not in last] + groups[0]
    groups[-1] = groups[-1] + last
    return [group for group in groups if group]


def _groups(module: nn.Module, prefix: str) -> list[list[str]]:
    children = [(f"{prefix}{name}", child) for name, child in module.named_children() if _names(child)]
    deep = _to_open(module)
    groups: list[list[str]] = []
    for name, child in children:
        if child is deep:
            inside = _groups(child, f"{name}.")
            loose = [f"{name}.{own}" for own, _ in child.named_parameters(recurse=False)]
            groups += [loose + inside[0], *inside[1:]]
        elif groups and not any(True for _ in child.children()):
            groups[-1] += _names(child, name)
        else:
            groups.append(_names(child, name))
    return groups


def _to_open(module: nn.Module) -> nn.Module | None:
    """The one child whose own children are the stages, if there is one: else the children are."""
    if isinstance(module, _LISTS):
        return None
    children = list(module.children())
    lists = [child for child in children if _is_list(child)]
    if lists:
        return lists[0] if len(lists) == 1 else None
    holders = [child for child in children if any(_is_list(inside) for inside in child.modules())]
    return holders[0] if len(holders) == 1 else None


def _is_list(module: nn.Module) -> bool:
    """Whether a module holds a row of blocks."""
    blocks = (child for child in module.children() if any(True for _ in child.children()))
    return isinstance(module, _LISTS) and any(_names(block) for block in blocks)


def _names(module: nn.Module, prefix: str = "") -> list[str]:
    return [name for name, _ in module.named_parameters(prefix=prefix)]
