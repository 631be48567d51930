import pytest
from threadpoolctl import threadpool_info

from protoclip_cli.evaluation.threads import sized_threads


def threads():
    return [pool["num_threads"] for pool in threadpool_info()]


@pytest.mark.parametrize(("work", "one"), [(10**6, True), (10**12, False)])
def test_small_work_gets_one_thread_and_large_all(work, one):
    before = threads()
    with sized_threads(work):
        during = threads()
    assert during == ([1] * len(before) if one else before)
    assert threads() == before
