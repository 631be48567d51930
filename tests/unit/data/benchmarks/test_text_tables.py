import gzip

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.sentence_pairs import SentencePairsSpec
from protoclip_cli.data.benchmarks.readers.triplets import TripletsSpec
from protoclip_cli.data.benchmarks.readers.word_pairs import WordPairsSpec

STS = 'split\tscore\tsentence1\tsentence2\ndev\t2.5\tA "cat\tdog\ntest\t1\tsun\tmoon\ntest\t4\tx\ty\n'


def test_the_packed_table_of_sentence_transformers(tmp_path):
    path = tmp_path / "stsbenchmark.tsv.gz"
    path.write_bytes(gzip.compress(STS.encode()))
    benchmark = SentencePairsSpec(path=path, split="test").open()
    assert (benchmark.name, benchmark.split) == ("stsbenchmark", "test")
    assert (benchmark.texts.first, benchmark.texts.gold.tolist()) == (["sun", "x"], [1, 4])
    assert SentencePairsSpec(path=path).open().texts.first[0] == 'A "cat'


def test_a_packed_table_that_is_cut_off(tmp_path):
    path = tmp_path / "stsbenchmark.tsv.gz"
    path.write_bytes(gzip.compress(STS.encode() * 50)[:-20])
    with pytest.raises(DataError, match="cannot be unpacked"):
        SentencePairsSpec(path=path).open()


def test_malformed_lines_are_counted_with_their_numbers(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(STS.encode() + b"test\tmany\ta\tb\ntest\t1\ta\nt\xff\t1\ta\tb\n\n")
    assert SentencePairsSpec(path=path).open().notes == (
        "1 line of pairs.tsv is left out: its score is no number (line 5)",
        "1 line of pairs.tsv is left out: it has not 4 fields (line 6)",
        "1 line of pairs.tsv is left out: it is not UTF-8 (line 7)",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column sentence1, sentence2, score"),
        ("sentence1\tsentence2\n", "no column score"),
        ("sentence1,sentence2,score\na,b,1\n", "1 pairs"),
        ('sentence1,sentence2,score\na,"b,1\nc,d,2\ne,f,3\n', "line 4: unexpected end of data"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        SentencePairsSpec(path=path).open()


def test_triplets(tmp_path):
    path = tmp_path / "test.csv"
    path.write_text('Sentence1,Sentence2,Sentence3\n"a, b","two\nlines",c\nd,,f\ng,h\n')
    benchmark = TripletsSpec(path=path, name="wiki").open()
    task = benchmark.texts
    assert (task.anchor, task.positive, task.negative) == (("a, b",), ("two\nlines",), ("c",))
    assert benchmark.notes == (
        "1 line of test.csv is left out: a sentence is empty (line 4)",
        "1 line of test.csv is left out: it has not 3 fields (line 5)",
    )
    path.write_text("Sentence1,Sentence2,Sentence3\n")
    with pytest.raises(DataError, match="has no triplets"):
        TripletsSpec(path=path).open()


def test_word_pairs(tmp_path):
    path = tmp_path / "rg65.csv"
    path.write_text("gem;jewel;3.94\ncord;smile;0.02\nword1;word2;score\nlonely\n;a;1\n")
    benchmark = WordPairsSpec(path=path).open()
    assert (benchmark.texts.first, benchmark.texts.gold.tolist()) == (("gem", "cord"), [3.94, 0.02])
    assert benchmark.notes == ("3 lines of rg65.csv are left out: it is not word;word;score (lines 3, 4, 5)",)


@pytest.mark.parametrize("reader", [SentencePairsSpec, TripletsSpec, WordPairsSpec])
def test_a_missing_file_says_what_to_put_where(reader, tmp_path):
    spec = reader(path=tmp_path / "gone.csv")
    assert spec.missing() == (tmp_path / "gone.csv",)
    with pytest.raises(DataError, match="there is no file") as error:
        spec.open()
    assert "gone.csv" in error.value.hint
