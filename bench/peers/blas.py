"""Tuning of the number of threads of numpy's BLAS, as small products run faster on one."""

# Optional, like the peers, so the type checker must not require it.
# pyright: reportMissingImports=false

from collections.abc import Callable

from bench.peers import missing, thread_counts, trial_seconds

__all__ = ["tune_threads"]


def tune_threads(function: Callable[[], object]) -> int | None:
    """Set BLAS to one or all threads, whichever makes `function` faster.

    Returns
    -------
    int or None
        That number; None if threadpoolctl, which comes with scikit-learn, is not installed.

    """
    if missing("threadpoolctl"):
        return None
    from threadpoolctl import threadpool_limits

    trials = {}
    for n_threads in thread_counts():
        with threadpool_limits(n_threads, user_api="blas"):
            trials[n_threads] = trial_seconds(function)
    fastest = min(trials, key=lambda n: trials[n])
    threadpool_limits(fastest, user_api="blas")
    return fastest
