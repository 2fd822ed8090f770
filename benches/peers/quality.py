"""scikit-learn in `cargo xtask bench --quality`: every table of a folder, by each start, from 1, 5 and 20 of them.

    quality.py FOLDER    prints: name, start, number of starts, seconds, log-likelihood per row, its dependence on reg_covar

The last is what the log-likelihood per row gains where EM goes on from there with a reg_covar of 1e-9 for 1e-6. An optimum of the likelihood gains
nothing; a component that has shrunk onto a few rows gains without bound, and its likelihood is what reg_covar makes of it.
"""
import csv
import pathlib
import sys
import time
import warnings

import numpy as np
from sklearn.mixture import GaussianMixture

warnings.filterwarnings("ignore")


def dependence(mixture, x):
    """What the score gains by a smaller reg_covar."""
    reg_covar = mixture.reg_covar
    # What is added to a variance v changes the likelihood by some (reg_covar / v)^2: nothing where all are far larger.
    if np.linalg.eigvalsh(mixture.covariances_).min() > 100 * reg_covar:
        return 0.0

    def score(reg_covar):
        return (
            GaussianMixture(
                mixture.n_components,
                reg_covar=reg_covar,
                weights_init=mixture.weights_,
                means_init=mixture.means_,
                precisions_init=mixture.precisions_,
                tol=1e-7,
                max_iter=1000,
            )
            .fit(x)
            .score(x)
        )

    try:
        return score(reg_covar / 1000) - score(reg_covar)
    except ValueError:
        return float("inf")


folder = pathlib.Path(sys.argv[1])
for row in csv.DictReader((folder / "tables.csv").open()):
    x = np.load(folder / row["file"])
    for start in ("kmeans", "k-means++", "random_from_data"):
        for n_starts in (1, 5, 20):
            mixture = GaussianMixture(
                int(row["components"]), init_params=start, n_init=n_starts, random_state=0
            )
            begin = time.perf_counter()
            try:
                mixture.fit(x)
                score = mixture.score(x)
            except ValueError:
                score = float("nan")
            seconds = time.perf_counter() - begin
            gain = 0.0 if np.isnan(score) else dependence(mixture, x)
            print(f"{row['name']},{start},{n_starts},{seconds:.6f},{score:.9f},{gain:.6f}", flush=True)
