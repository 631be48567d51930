import json
from pathlib import Path

import pytest

from protoclip_cli.recipe.schema_file import schema_path
from protoclip_cli.recipe.shipped import shipped, summary


def ends(done, code, error, hint=None):
    """One error of one or more lines, and perhaps one hint, on stderr and nothing on stdout."""
    want = f"error: {error}\n" + (f"hint: {hint}\n" if hint else "")
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", want)


def test_ls_shows_every_recipe_and_what_it_is(call):
    done = call("recipes", "ls")
    assert done.exit_code == 0
    assert done.stderr == ""
    width = max(map(len, shipped()))
    assert done.stdout.splitlines() == [
        f"{name:<{width}}  {summary(path)}" for name, path in shipped().items()
    ]
    assert json.loads(call("recipes", "ls", "--json").stdout) == {n: summary(p) for n, p in shipped().items()}


def test_cat_prints_the_file(call):
    done = call("recipes", "cat", "quickstart")
    assert (done.exit_code, done.stdout, done.stderr) == (0, shipped()["train/quickstart"].read_text(), "")


def test_cp_copies_and_does_not_overwrite_by_itself(call):
    done = call("recipes", "cp", "quickstart", "mine.yaml")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "mine.yaml\n", "")
    text = shipped()["train/quickstart"].read_text()
    assert Path("mine.yaml").read_text() == text
    Path("mine.yaml").write_text("# changed")
    ends(
        call("recipes", "cp", "quickstart", "mine.yaml"),
        2,
        "mine.yaml is there already",
        "choose another name, or add --overwrite",
    )
    assert Path("mine.yaml").read_text() == "# changed"
    assert call("recipes", "cp", "quickstart", "mine.yaml", "--overwrite").exit_code == 0
    assert Path("mine.yaml").read_text() == text


def test_cp_into_a_folder(call):
    assert call("recipes", "cp", "quickstart").stdout == "quickstart.yaml\n"
    Path("some").mkdir()
    assert call("recipes", "cp", "quickstart", "some").stdout == "some/quickstart.yaml\n"
    assert call("recipes", "cp", "quickstart", "new/mine.yaml").stdout == "new/mine.yaml\n"


@pytest.mark.parametrize("command", ["cat", "cp", "validate"])
def test_an_unknown_recipe_gets_the_nearest(command, call):
    hint = "did you mean 'quickstart'? `protoclip recipes ls` lists the shipped ones"
    ends(
        call("recipes", command, "quickstrat"),
        3,
        "there is no file quickstrat and no shipped recipe of that name",
        hint,
    )


def test_validate_says_that_it_is_well(call, small):
    done = call("recipes", "validate", small)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "small.yaml is a valid recipe\n")
    assert call("recipes", "validate", "quickstart", "--set", "batch.size=64").exit_code == 0
    assert call("recipes", "validate", "evaluate/glyphs").exit_code == 0


def test_validate_lists_all_mistakes_with_place_key_and_advice(call):
    Path("bad.yaml").write_text(
        "name: x\npairs: {kind: glyphs, limt: 3}\nmodel: {kind: open_clip, name: RN50}\n"
        "objectives:\n  clip: {kind: info_nec}\nbatch: {size: many}\noptimiser: {}\n"
    )
    done = call("recipes", "validate", "bad.yaml")
    assert done.exit_code == 3
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: bad.yaml is not a valid recipe",
        "  bad.yaml:2: pairs.limt: unknown key; did you mean 'limit'?",
        "  bad.yaml:5: objectives.clip: unknown kind 'info_nec'; did you mean 'info_nce'?",
        "  bad.yaml:6: batch.size: Input should be a valid integer, unable to parse string as an integer",
        "  bad.yaml:7: optimiser: unknown key; did you mean 'optimizer'?",
    ]


def test_validate_lists_keys_that_stand_twice(call):
    Path("bad.yaml").write_text("name: x\nbatch: {size: 3,\n  size: 4}\nname: y\n")
    ends(
        call("recipes", "validate", "bad.yaml"),
        3,
        "bad.yaml has keys that stand twice\n"
        "  bad.yaml:3: the key 'size' stands twice\n"
        "  bad.yaml:4: the key 'name' stands twice",
        "keep one of each",
    )


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"\x89PNG\r\n\x1a\n"])
def test_validate_survives_any_file(content, call):
    Path("bad.yaml").write_bytes(content)
    done = call("recipes", "validate", "bad.yaml")
    assert done.exit_code == 3
    assert done.stderr.startswith("error: cannot read bad.yaml: ")


def test_strange_keys_cannot_speak_to_the_terminal(call, small):
    small.write_text(small.read_text() + '"\\e[31m[bold]red[/bold]": 1\n')
    done = call("recipes", "validate", small)
    assert done.exit_code == 3
    assert r"\x1b[31m[bold]red[/bold]: unknown key" in done.stderr
    assert "\x1b" not in done.stderr


def test_schema(call):
    for command in ((), ("train",), ("evaluate",), ("extract-teacher",), ("gather",)):
        done = call("recipes", "schema", *command)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == schema_path(*command or ("train",)).read_text()
    ends(
        call("recipes", "schema", "trane"),
        2,
        "'trane' has no recipes",
        "choose from evaluate, extract-teacher, gather, train",
    )


def test_kinds(call):
    done = call("recipes", "kinds")
    assert done.exit_code == 0
    found = dict(line.split(": ") for line in done.stdout.splitlines())
    assert found["schedule"] == "constant, cosine"
    assert {"info_nce", "seed"} <= set(found["objectives"].split(", "))
    assert "timm" in found["two_towers.image"], "towers, and not views, which are `image`"
    assert "timm" not in found["image"]
    everything = json.loads(call("recipes", "kinds", "--json").stdout)
    assert {part: ", ".join(kinds) for part, kinds in everything.items()} == found
    ends(
        call("recipes", "kinds", "colour"),
        2,
        "recipes have no part 'colour' with kinds",
        f"parts: {', '.join(found)}",
    )
    ends(
        call("recipes", "kinds", "--markdown"),
        2,
        "--markdown needs a part",
        "for example `recipes kinds objectives`",
    )


def test_kinds_of_a_part_are_described(call):
    assert (
        call("recipes", "kinds", "schedule").stdout
        == """\
constant: Linear warm-up, then the base rate, then perhaps a polynomial cool-down.
  settings: cooldown: 0, power: 1

cosine: Linear warm-up, then half a cosine.
  settings: start_rate: null

all have: final_rate: 0, warmup: 0
"""
    )
    assert (
        call("recipes", "kinds", "schedule", "--markdown").stdout
        == """\
| kind | is | settings |
|---|---|---|
| `constant` | Linear warm-up, then the base rate, then perhaps a polynomial cool-down. \
| `cooldown: 0`, `power: 1` |
| `cosine` | Linear warm-up, then half a cosine. | `start_rate: null` |

All have `final_rate: 0`, `warmup: 0`.
"""
    )
    first, *_ = json.loads(call("recipes", "kinds", "schedule", "--json").stdout)
    assert first["kind"] == "constant"
    assert first["settings"] == {"cooldown": 0, "final_rate": 0, "power": 1, "warmup": 0}


def test_of_objectives_there_is_more(call):
    found = {row["kind"]: row for row in json.loads(call("recipes", "kinds", "objectives", "--json").stdout)}
    assert found["info_nce"]["paper"] == "https://arxiv.org/abs/2103.00020"
    assert found["info_nce"]["needs"] == ["1 image view", "1 text view"]
    assert found["prototype_contrast"]["needs"] == ["1 image view", "head proto", "prototypes image<-text"]
    assert found["prototype_contrast"]["settings"]["source"] == "required: image | text | teacher"
    for kind, row in found.items():
        assert row["what"].endswith("."), kind
        assert row["needs"], f"{kind}: give the fields without a default `Field(examples=[...])`"
