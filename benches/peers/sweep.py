"""scikit-learn in the sweep of `cargo xtask bench --quality`: 1 to 10 components of four forms, five starts each.

    sweep.py TABLE    prints: form, components, seconds, BIC
"""
import sys
import time
import warnings

import numpy as np
from sklearn.mixture import GaussianMixture

warnings.filterwarnings("ignore")
x = np.load(sys.argv[1])
for form in ("full", "tied", "diag", "spherical"):
    for n_components in range(1, 11):
        mixture = GaussianMixture(n_components, covariance_type=form, n_init=5, random_state=0)
        begin = time.perf_counter()
        bic = mixture.fit(x).bic(x)
        seconds = time.perf_counter() - begin
        print(f"{form},{n_components},{seconds:.6f},{bic:.4f}", flush=True)
