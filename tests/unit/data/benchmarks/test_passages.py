import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks import passage_file
from protoclip_cli.data.benchmarks.readers.passages import PassagesSpec

CORPUS = "".join(f"{number}\tpassage {number}\n" for number in range(10))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "collection.tsv").write_text(CORPUS)
    (tmp_path / "queries.dev.small.tsv").write_text("7\tfirst\n8\tnobody judged\n9\tsecond\n")
    (tmp_path / "qrels.dev.tsv").write_text("7 0 3 1\n9\t0\t5\t1\n9\t0\t8\t1\n9\t0\t1\t0\n77\t0\t1\t1\n")
    return tmp_path


def texts_of(corpus, size=4):
    return [text for chunk in corpus.chunks(size) for text in chunk]


def test_queries_without_a_relevant_passage_are_not_used(root):
    benchmark = PassagesSpec(path=root).open()
    task = benchmark.texts
    assert task.queries == ["first", "second"]
    assert [rows.tolist() for rows in task.relevant] == [[3], [5, 8]]
    assert task.judged.tolist() == [1, 2]
    assert benchmark.notes == ("queries without a relevant passage, which are not used: 1",)
    assert task.sizes() == {"queries": 2, "passages": 10}


def test_the_corpus_comes_in_chunks_and_as_often_as_asked(root):
    corpus = PassagesSpec(path=root).open().texts.corpus
    assert [len(chunk) for chunk in corpus.chunks(4)] == [4, 4, 2]
    assert texts_of(corpus) == texts_of(corpus, 100) == [f"passage {number}" for number in range(10)]


def test_a_smaller_corpus_keeps_what_is_relevant(root):
    task = PassagesSpec(path=root, corpus_max=2).open().texts
    assert texts_of(task.corpus) == [f"passage {number}" for number in (0, 1, 3, 5, 8)]
    assert [rows.tolist() for rows in task.relevant] == [[2], [3, 4]]


def test_lines_that_are_none_are_counted(root):
    (root / "collection.tsv").write_text(CORPUS + "no tab\n11\t \n\n12\ttwelve\n")
    (root / "queries.dev.small.tsv").write_text("7\tfirst\n9\t\n10\n")
    (root / "qrels.dev.tsv").write_text("7 0 3 1\n7 0 3\n9 0 5 x\n7 0 99 1\n")
    benchmark = PassagesSpec(path=root).open()
    assert benchmark.notes == (
        "relevant passages that are not in collection.tsv and so are missed: 1",
        "1 line of queries.dev.small.tsv is left out: the query is empty (line 2)",
        "1 line of queries.dev.small.tsv is left out: "
        "it is not a query's number, a tab and its text (line 3)",
        "2 lines of qrels.dev.tsv are left out: it is not `query 0 passage 1` (lines 2, 3)",
        "1 line of collection.tsv is left out: it is not a passage's number, a tab and its text (line 11)",
        "1 line of collection.tsv is left out: the passage is empty (line 12)",
    )
    assert texts_of(benchmark.texts.corpus)[-1] == "twelve"
    assert benchmark.texts.judged.tolist() == [2], "what is not there still counts as missed"


def test_nothing_judged(root):
    (root / "qrels.dev.tsv").write_text("1000 0 3 1\n")
    with pytest.raises(DataError, match=r"no query of .* has a relevant passage in qrels"):
        PassagesSpec(path=root).open()


def test_a_number_twice(root):
    (root / "collection.tsv").write_text(CORPUS + "4\tanother\n")
    with pytest.raises(DataError, match=r"collection.tsv, lines 5 and 11: passage 4 is there twice"):
        PassagesSpec(path=root).open()
    (root / "collection.tsv").write_text(CORPUS)
    (root / "queries.dev.small.tsv").write_text("7\ta\n9\tb\n7\tc\n")
    with pytest.raises(DataError, match=r"queries.dev.small.tsv, lines 1 and 3: query 7 is there twice"):
        PassagesSpec(path=root).open()


def test_two_names_of_one_hash_are_two_names(root, monkeypatch):
    monkeypatch.setattr(passage_file, "hash", lambda _: 1, raising=False)
    assert len(PassagesSpec(path=root).open().texts.corpus) == 10


def test_missing_files(root):
    (root / "qrels.dev.tsv").unlink()
    spec = PassagesSpec(path=root)
    assert spec.missing() == (root / "qrels.dev.tsv",)
    with pytest.raises(DataError, match="there is no file") as error:
        spec.open()
    assert "put collection.tsv, queries.dev.small.tsv and qrels.dev.tsv into" in error.value.hint
