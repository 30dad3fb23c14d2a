"""Predictions of 784-128-10 for three numbers of rows, by fastmlp and its alternatives."""

import pytest

from bench import inference
from bench.workloads import workload


@pytest.mark.parametrize("name", inference.CONTENDERS)
@pytest.mark.parametrize("n_rows", inference.ROWS)
def test_predict(timed, n_rows, name):
    if reason := inference.available(name):
        pytest.skip(reason)
    work = workload("mnist")
    x = inference.rows(work, n_rows)

    predict, n_threads = inference.prepare(name, work, x)

    assert inference.error(predict, work, x) < 1e-4
    timed(predict, x, n_rows=n_rows, peer_threads=n_threads)
