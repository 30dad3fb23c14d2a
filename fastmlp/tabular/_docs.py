"""The parts of the docstrings that both estimators for tables share."""

from fastmlp.tabular.methods import DEFAULT_METHOD, METHODS

__all__ = ["SHARED"]

SHARED = {
    "how networks are trained": f"""
        method : {{{", ".join(f'"{name}"' for name in METHODS)}}}, default "{DEFAULT_METHOD}"
            How networks are built and trained. "mixed" trains networks of two kinds by turns:
            "realmlp-td", which embeds numbers by smooth waves, and a plain one, which embeds them
            by pieces between quantiles and so learns steps too. They err differently. In
            their mean, the kind that errs less on the validation rows counts more. "realmlp-td-s"
            has no embeddings: it takes a tenth to a half less time than "realmlp-td", and its
            errors are larger, on ten tables by 4 % for numbers and 12 % for classes. "tabm-mini"
            is an ensemble of 32 in one network, in several times the time. "pack" trains networks
            with different settings and chooses the best mean of them: the most accurate if there
            is time, such as ``time_limit=60``.
        n_ensemble : int, optional
            Number of networks whose predictions are averaged. Each is validated with other rows.
            Default: one, or four with "mixed"; with ``time_limit``, as many as there is time for,
            up to 32. With "pack", so many are trained, and a weighted mean of the best is chosen;
            default 30 or, with ``time_limit``, as many as there is time for.
        n_cv : int, optional
            Divide the rows into so many folds and train ``n_ensemble`` networks for each (default:
            one; two with "mixed", six with "pack"), on the other folds; ``out_of_fold_`` then has a
            prediction for every row, unless a ``time_limit`` is too short to predict them all.
        time_limit : float, optional
            Seconds for all of `fit`, compilation too. Networks get fewer epochs if there is no time
            for all, and on large tables fewer of the validation rows. If compiling alone takes
            longer, a little training follows all the same.
        """,
    "other arguments": """
        encoder : TableEncoder, optional
            One with other settings, such as ``TableEncoder(categorical=["postcode"])``.
        n_threads : int, optional
            Default: all that the process may use.
        random_state : int or numpy.random.RandomState, optional
            The same number gives the same networks, unless there is a ``time_limit``.
        verbose : bool, default False
            Whether to print a line for each network.
        """,
    "attributes of the training": """
        encoder_ : TableEncoder
        leaderboard_ : list of dict
            The score and the training of each network, the best first. With "mixed" and "pack"
            also its settings and its weight in the mean, which is 0 if "pack" did not choose it.
        validation_score_ : float
            The metric of all networks together on their validation rows. With "pack" these rows
            also chose the networks, so it is a little too good.
        """,
    "other attributes": """
        feature_importances_ : ndarray, shape (D,)
        n_features_in_ : int
        feature_names_in_ : ndarray, shape (D,)
            If X has names.
        """,
}
