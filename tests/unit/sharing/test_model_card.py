"""What strangers wrote stays text, and what the hub reads can be read."""

from pathlib import Path

import yaml

from protoclip_cli.sharing.model_card import Facts, escaped, fenced, front_matter, model_card

EVIL = "x <script>alert(1)</script> | **b** [l](javascript:1)\n---\n# `h`"
SCORE = {
    **{"probe": "zero_shot", "benchmark": EVIL, "split": "test", "metric": "top1", "value": 0.5, "n": 1000},
    "ci95": [0.4, 0.6],
}


def card(**fields):
    return model_card(Facts("title", "open_clip", "import open_clip\n", **fields))


def test_a_card_of_strangers_words_has_no_markup_of_theirs():
    text = card(
        scores=[SCORE],
        data={"pairs": EVIL},
        notes=[EVIL],
        recipe=f"name: |\n  ```\n  {EVIL}",
        environment={EVIL: EVIL},
    )
    outside = text.split("---\n", 2)[2].split("````yaml")[0]
    assert "<script>" not in outside
    assert "&lt;script&gt;" in outside
    assert "[l](" not in outside
    rows = [line for line in outside.splitlines() if line.startswith("| zero")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 7
    assert "0.5000 | 0.4000 to 0.6000 | 1,000" in rows[0]


def test_the_front_matter_is_yaml_with_all_scores():
    facts = Facts(EVIL, "timm", "", scores=[SCORE, {**SCORE, "ci95": None}] * 40)
    found = yaml.safe_load(front_matter(facts))
    assert found["library_name"] == "timm"
    assert found["pipeline_tag"] == "image-feature-extraction"
    (entry,) = found["model-index"]
    assert entry["name"] == " ".join(EVIL.split())
    assert len(entry["results"]) == 80
    assert entry["results"][0]["metrics"] == [{"type": "top1", "value": 0.5}]
    assert entry["results"][0]["dataset"]["name"] == entry["name"]
    assert "40 more are in the front matter" in model_card(facts)


def test_a_card_without_scores_says_so_and_claims_none():
    assert "Nobody has evaluated this model yet." in card()
    assert "model-index" not in card()
    assert "not known to this card" in card()


def test_paths_do_not_say_whose_home_they_are_in(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    text = card(recipe="pairs: {path: /home/somebody/pairs.tsv}", data={"pairs": "/home/somebody/pairs.tsv"})
    assert "somebody" not in text
    assert text.count("~/pairs.tsv") + text.count("\\~/pairs.tsv") >= 2


def test_nothing_ends_a_block_of_code_early():
    block = fenced("a\n````\nb", "yaml")
    assert block.startswith("`````yaml\n")
    assert block.endswith("\n`````\n")


def test_right_to_left_marks_and_line_breaks_are_gone():
    assert escaped("a\u202eb\u2028c\td") == "a b c d"
