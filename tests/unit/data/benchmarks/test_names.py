import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.names import name_classes
from protoclip_cli.data.benchmarks.sources import read_names, wordnet_ids


def named(keys, setting, ordered=False):
    return [alike[0] for alike in name_classes(keys, setting, ordered=ordered, place="here")]


def test_names_follow_the_folders_whatever_order_the_list_has():
    assert named(["river", "sea_lake"], ["Sea Lake", "River"]) == ["River", "Sea Lake"]


def test_a_list_in_the_order_of_labels_is_taken_as_it_is():
    assert named(["AnnualCrop", "Forest"], ["fields", "woods"], ordered=True) == ["fields", "woods"]


def test_a_list_with_the_same_words_in_another_order_is_sorted_even_if_it_is_said_to_be_in_order():
    assert named(["sad", "happy"], ["Happy", "Sad"], ordered=True) == ["Sad", "Happy"]


@pytest.mark.parametrize("keys", [["0", "1", "2"], ["1", "2", "3"], ["000", "001", "002"]])
def test_numbers_count_from_nought_or_one(keys):
    assert named(keys, ["a", "b", "c"]) == ["a", "b", "c"]


def test_numbers_in_any_order_keep_their_names():
    assert named(["0", "10", "1", *"23456789"], list("abcdefghijk"))[:3] == ["a", "k", "b"]


def test_a_mapping_may_hold_more_than_is_there():
    assert named(["NO", "FR"], {"FR": "France", "NO": "Norway", "XX": "x"}) == ["Norway", "France"]


def test_synonyms_stay_together_and_any_of_them_finds_the_folder():
    found = name_classes(["glad", "mad"], [["angry", "mad"], ["happy", "glad"]], ordered=False, place="x")
    assert found == (("happy", "glad"), ("angry", "mad"))


def test_words_of_folders():
    assert named(["001.Black_footed_Albatross", "a/b"], None) == ["Black footed Albatross", "a b"]
    assert named(["ApplyEyeMakeup", "TaiChi"], "camel_case") == ["Apply Eye Makeup", "Tai Chi"]


def test_names_of_wordnet_ids_are_those_of_the_thousand_classes():
    ids = wordnet_ids()
    listed = read_names("open_clip:imagenet")
    assert len(ids) == len(listed) == 1000
    assert list(ids) == sorted(ids)
    assert named([ids[999], ids[0], "n02123045"], "wnid") == [*listed[999], "tench", "tabby cat"]


def test_two_classes_of_one_name_keep_their_places():
    listed = [alike[0] for alike in name_classes(wordnet_ids(), "wnid", ordered=False, place="x")]
    assert len(listed) == 1000
    assert len(set(listed)) == 998


@pytest.mark.parametrize(
    ("keys", "setting", "message"),
    [
        (["a", "b"], ["a", "b", "c"], "2 classes for 3 names: nothing / c"),
        (["a", "x", "c"], ["a", "b"], r"3 classes for 2 names: x / b, c / nothing"),
        (["0", "1", "3"], ["a", "b", "c", "d"], "3 classes for 4 names: there is no 2"),
        (["0", "1", "2"], ["a", "b"], "3 classes for 2 names: the last is 2"),
        (["cat", "dgo"], ["cat", "dog"], "not in the list of names: dgo"),
        (["cat", "dog"], {"cat": "cat"}, "without a name: dog"),
        (["0", "2"], ["a", "b"], "not 0 to 1 or 1 to 2: 1 is odd"),
        (["a", "b"], ["missile", "Missile"], "two classes of here are called 'Missile'"),
        (["1", "2"], None, "nothing says what they are called"),
        (["n99999999"], "wnid", "without a name: n99999999"),
    ],
)
def test_names_of_other_classes_are_refused(keys, setting, message):
    with pytest.raises(DataError, match=message) as error:
        named(keys, setting)
    assert error.value.hint
