"""How many threads numpy's BLAS uses: small products run faster on one."""

# Optional, like the peers: the type checker must not ask for it.
# pyright: reportMissingImports=false

from collections.abc import Callable

from bench.peers import missing, thread_counts, trial_seconds

__all__ = ["tune_threads"]


def tune_threads(function: Callable[[], object]) -> int | None:
    """Let BLAS use the number of threads, one or all, with which `function` is faster.

    Returns
    -------
    int or None
        That number; None if threadpoolctl, which scikit-learn brings, is not installed.

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
