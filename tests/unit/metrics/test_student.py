import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from protoclip_cli.metrics.student import of_few, paired

numbers = st.lists(st.tuples(*[st.floats(-1, 1).map(lambda x: round(x, 3))] * 2), min_size=2, max_size=9)


@given(numbers)
def test_a_paired_test_is_scipys(pairs):
    values, baseline = np.array(pairs).T
    found = paired(values, baseline)
    if np.ptp(values - baseline) < 1e-9:
        assert found.p is None
        return
    theirs = stats.ttest_rel(values, baseline)
    interval = theirs.confidence_interval()
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert found.ci95 == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert found.mean == pytest.approx((values - baseline).mean())


def test_one_value_has_no_interval_and_one_pair_no_p():
    assert of_few([0.5]) is None
    found = paired([0.5], [0.4])
    assert (found.ci95, found.p, found.n) == (None, None, 1)


def test_the_same_difference_in_all_pairs_has_no_p():
    found = paired([0.3, 0.5, 0.7], [0.2, 0.4, 0.6])
    assert found.p is None
    assert found.ci95 == pytest.approx((0.1, 0.1))
