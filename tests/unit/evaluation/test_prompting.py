import json

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.prompt_files import read_names, read_prompts, read_templates
from protoclip_cli.evaluation.prompting import KnowledgeSpec, filled, open_knowledge


@pytest.fixture
def write(tmp_path):
    def to_file(content, name="file.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return to_file


def test_names_of_another_language_with_several_for_a_class(write):
    path = write({"pets": ["猫", ["犬", "狗"]], "other": []})
    assert read_names(path, "pets", 2) == [("猫",), ("犬", "狗")]
    assert read_names(write("cat\n\ndog\n", "names.txt"), "pets", 2) == [("cat",), ("dog",)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (["cat"], "names 1 classes, but pets has 2"),
        (["cat", []], "without a name"),
        ({"cars": []}, "no entry for pets"),
        ("[", "not JSON"),
        ({"pets": "cat"}, "does not hold a list"),
    ],
)
def test_names_that_cannot_be_used(write, content, reason):
    with pytest.raises(DataError, match=reason):
        read_names(write(content), "pets", 2)


def test_templates_of_either_form(write):
    assert read_templates(write(["one {}", "two {c}"]), "pets") == ("one {}", "two {}")


@pytest.mark.parametrize(("content", "reason"), [(["no place"], "must have one {}"), ([], "no templates")])
def test_templates_that_cannot_be_used(write, content, reason):
    with pytest.raises(DataError, match=reason):
        read_templates(write(content), "pets")


def test_prompts_of_each_class_may_differ_in_number(write):
    path = write({"dog": ["it barks"], "cat": ["it purrs", "it sleeps"]})
    assert read_prompts(path, "pets", ("cat", "dog")) == [("it purrs", "it sleeps"), ("it barks",)]
    assert read_prompts(write({"pets": {"cat": ["a"], "dog": ["b"]}}), "pets", ("cat", "dog"))[1] == ("b",)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("cat", "cow"), "no prompts for 1 classes, such as 'cow'"),
        (("cat", "cat"), "two classes"),
        (("cat",), "no class of"),
    ],
)
def test_prompts_that_do_not_fit_the_classes(write, names, reason):
    with pytest.raises(DataError, match=reason):
        read_prompts(write({"dog": ["it barks"], "cat": ["it purrs"]}), "pets", names)


def test_every_piece_of_knowledge_makes_a_prompt_of_every_template(write):
    entries = [
        {"classname": "cat", "def_wiki": "A pet.", "path_wn": ["feline", "mammal", "animal", "thing"]},
        {"classname": "dog", "def_wiki": None, "gpt3": ["It barks.", "It runs.", "It eats."]},
    ]
    path = write(entries, "pets_knowledge.tsv")
    sources = open_knowledge(
        [KnowledgeSpec(path=path, use=use, most=2) for use in ("wiki", "hierarchy", "gpt3")]
    )
    prompts = filled([("cat",), ("dog",), ("cow",)], ["a {}"], sources)
    assert prompts.texts == (
        "a cat ; cat , A pet .",
        "a cat ; cat , feline mammal animal",
        "a dog ; dog , It barks .",
        "a dog ; dog , It runs .",
        "a cow",
    )
    assert prompts.class_of.tolist() == [0, 0, 1, 1, 2]
    with pytest.raises(DataError, match="no `def_wn`"):
        open_knowledge([KnowledgeSpec(path=path, use="wordnet")])
