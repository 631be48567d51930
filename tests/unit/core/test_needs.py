from itertools import permutations

from protoclip_cli.core.needs import Needs, merge

SOME = (
    Needs(image_views=2, heads=frozenset({"proto"})),
    Needs(text_views=1, teacher=True, prototypes=frozenset({"text"})),
    Needs(image_views=1, momentum=True, labels=True, heads=frozenset({"local"})),
)


def test_merging_takes_the_most_of_each_whatever_the_order():
    want = Needs(
        image_views=2,
        text_views=1,
        heads=frozenset({"proto", "local"}),
        teacher=True,
        prototypes=frozenset({"text"}),
        momentum=True,
        labels=True,
    )
    assert {merge(order) for order in permutations(SOME)} == {want}


def test_nothing_needs_nothing_and_adds_nothing():
    assert merge([]) == Needs()
    assert Needs().towers == frozenset()
    assert all(one | Needs() == one == one | one for one in SOME)


def test_the_towers_that_run_are_those_with_views():
    assert [sorted(one.towers) for one in SOME] == [["image"], ["text"], ["image"]]
    assert merge(SOME).towers == {"image", "text"}
