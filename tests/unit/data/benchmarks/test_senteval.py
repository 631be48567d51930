import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.senteval import SentEvalSpec

SUBSETS = ("FNWN", "headlines", "OnWN")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    """STS13: three subsets of three pairs, of which one was not judged."""
    folder = tmp_path / "STS" / "STS13-en-test"
    for number, name in enumerate(SUBSETS):
        write(
            folder / f"STS.input.{name}.txt", f"a  cat {number}\ta dog\n\tnothing\nnot\tjudged\nsun\tmoon\n"
        )
        write(folder / f"STS.gs.{name}.txt", f"{number}.5\n2\n\n5\n")
    write(
        tmp_path / "STS" / "STSBenchmark" / "sts-test.csv",
        'main\tnews\t2013\t1\t3.2\tA "quoted cat\tA dog\ttail\nmain\tnews\t2013\t2\t4\tsun\tmoon\n',
    )
    write(
        tmp_path / "SICK" / "SICK_test_annotated.txt",
        "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tjudgment\n1\ta\tb\t4.5\tNEUTRAL\n2\tc\td\t1\tENTAILMENT\n",
    )
    return tmp_path


def test_subsets_are_joined_in_their_order(root):
    benchmark = SentEvalSpec(path=root, task="STS13").open()
    task = benchmark.texts
    assert (benchmark.name, benchmark.split, task.subsets) == ("sts13", "test", SUBSETS)
    assert task.first == ["a cat 0", ".", "sun", "a cat 1", ".", "sun", "a cat 2", ".", "sun"]
    assert task.gold.tolist() == [0.5, 2, 5, 1.5, 2, 5, 2.5, 2, 5]
    assert np.bincount(task.subset).tolist() == [3, 3, 3]
    assert benchmark.notes[0] == "1 line of STS.input.FNWN.txt is left out: it has no score (line 3)"


def test_the_benchmark_and_sick(root):
    pairs = SentEvalSpec(path=root, task="STSBenchmark").open().texts
    assert (pairs.first[0], pairs.second[0], pairs.gold.tolist()) == ('A "quoted cat', "A dog", [3.2, 4])
    sick = SentEvalSpec(path=root, task="SICK").open().texts
    assert (sick.first, sick.second, sick.gold.tolist()) == (["a", "c"], ["b", "d"], [4.5, 1])


def test_a_missing_subset_says_what_to_put_where(root):
    spec = SentEvalSpec(path=root, task="STS13")
    assert spec.missing() == ()
    gone = root / "STS" / "STS13-en-test" / "STS.gs.OnWN.txt"
    gone.unlink()
    assert spec.missing() == (gone,)
    with pytest.raises(DataError, match=r"no file .*STS\.gs\.OnWN") as error:
        spec.open()
    assert "STS13-en-test" in error.value.hint


def test_lines_that_are_no_pairs_are_counted(root):
    folder = root / "STS" / "STS13-en-test"
    write(folder / "STS.input.FNWN.txt", "one sentence\na\tb\nc\td\ne\tf\n")
    write(folder / "STS.gs.FNWN.txt", "1\nmany\nnan\n2\n")
    benchmark = SentEvalSpec(path=root, task="STS13").open()
    assert len(benchmark.texts.gold) == 7
    assert benchmark.notes[:2] == (
        "1 line of STS.input.FNWN.txt is left out: it is not two sentences with a tab between (line 1)",
        "2 lines of STS.gs.FNWN.txt are left out: its score is no number (lines 2, 3)",
    )


def test_files_that_do_not_go_line_by_line_are_refused(root):
    write(root / "STS" / "STS13-en-test" / "STS.gs.FNWN.txt", "1\n2\n")
    with pytest.raises(DataError, match=r"4 lines and STS\.gs\.FNWN\.txt has 2"):
        SentEvalSpec(path=root, task="STS13").open()


def test_a_split_that_is_not_there(root):
    with pytest.raises(DataError, match="STS13 has no dev split"):
        SentEvalSpec(path=root, task="STS13", split="dev").open()
    with pytest.raises(DataError, match=r"no file .*sts-dev\.csv"):
        SentEvalSpec(path=root, task="STSBenchmark", split="dev").open()


def test_a_file_without_pairs(root):
    write(root / "SICK" / "SICK_test_annotated.txt", "header\na\tb\n")
    with pytest.raises(DataError, match="0 pairs with a score") as error:
        SentEvalSpec(path=root, task="SICK").open()
    assert "less than 4 fields (line 2)" in error.value.hint
