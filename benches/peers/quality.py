"""scikit-learn in `cargo xtask bench --quality`: every table of a folder, by each start, from 1, 5 and 20 of them.

    quality.py FOLDER    prints: name, start, number of starts, seconds, log-likelihood per row
"""
import csv
import pathlib
import sys
import time
import warnings

import numpy as np
from sklearn.mixture import GaussianMixture

warnings.filterwarnings("ignore")
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
            print(f"{row['name']},{start},{n_starts},{seconds:.6f},{score:.9f}", flush=True)
