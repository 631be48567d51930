"""`protoclip evaluate --list-models` and `--list-benchmarks`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from protoclip_cli.cli.screen import print_result


def show_models(*, as_json: bool) -> None:
    """Print open_clip's models, a line each: the name, a tab, and the tags of its published weights."""
    import open_clip

    from protoclip_cli.models.builders.open_clip import own_models

    tags = {name: list(open_clip.list_pretrained_tags_by_model(name)) for name in open_clip.list_models()}
    tags |= {name: [] for name in own_models()}
    lines = [f"{name}\t{', '.join(known)}" for name, known in sorted(tags.items())]
    print_result(json.dumps(tags) if as_json else "\n".join(lines))


def show_benchmarks(root: Path | None, *, as_json: bool) -> None:
    """Print all benchmarks, a line each: name, whether its data is there, groups, or what to put where."""
    from protoclip_cli.data.benchmarks import listing

    found = listing(root)
    lines = (f"{one.name}\t{one.state}\t{', '.join(one.groups) or '-'}\t{one.where}" for one in found)
    print_result(json.dumps([asdict(one) for one in found]) if as_json else "\n".join(lines))
