"""The errors of scikit-learn on the cases of the exact oracle, in the oracle's metrics.

    accuracy.py public.json > accuracy.csv

Run by hand when the version of scikit-learn changes; `cargo xtask golden` reads the result. The first line says which
versions it is from. What is called, on the parameters of each case: `score_samples` for densities,
`_estimate_log_prob_resp` for responsibilities, `bic`, and `_estimate_gaussian_parameters` for one EM step with `reg_covar=0`. A
case with sample weights has no counterpart; an exception is an error of `inf`, as is a NaN.
"""

import json
import sys
import warnings

import numpy as np
import scipy
import sklearn
from sklearn.mixture import GaussianMixture
from sklearn.mixture._gaussian_mixture import (
    _compute_precision_cholesky,
    _estimate_gaussian_parameters,
)

warnings.filterwarnings("ignore")


def numbers(value):
    """Strings of 20 digits as the nearest f64; what is beyond its range is infinite."""
    return np.array(value, dtype=object).astype(str).astype(np.float64)


def worst(errors):
    errors = np.asarray(errors, dtype=np.float64).ravel()
    return float("inf") if np.isnan(errors).any() else float(errors.max(initial=0.0))


def difference(found, exact):
    same = np.isinf(found) & np.isinf(exact) & (np.sign(found) == np.sign(exact))
    return np.where(same, 0.0, np.abs(np.where(same, 0, found) - np.where(same, 0, exact)))


def log_values(found, exact):
    return worst(difference(found, exact) / np.maximum(1.0, np.where(np.isinf(exact), 1.0, np.abs(exact))))


def ratio(error, scale):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error == 0.0, 0.0, error / scale)


def dense(covariances, form, k, d):
    """K matrices of D x D."""
    covariances = np.asarray(covariances, dtype=np.float64)
    if form == "tied":
        return np.repeat(covariances[None], k, axis=0)
    if form == "diag":
        return np.array([np.diag(v) for v in covariances])
    if form == "spherical":
        return np.array([v * np.eye(d) for v in covariances.ravel()])
    return covariances


def errors(case):
    """Pairs of an output and its error."""
    inputs, expected, form = case["inputs"], case["expected"], case["cov_type"]
    dtype = np.float32 if case["dtype"] == "f32" else np.float64
    x = numbers(inputs["x"]).astype(dtype)
    means = numbers(inputs["means"]).astype(dtype)
    k, d = means.shape
    mixture = GaussianMixture(k, covariance_type=form, reg_covar=0.0)
    mixture.weights_ = numbers(inputs["weights"]).astype(dtype)
    mixture.means_ = means
    mixture.covariances_ = numbers(inputs["covariances"]).astype(dtype)
    mixture.precisions_cholesky_ = _compute_precision_cholesky(mixture.covariances_, form)
    log_density = mixture.score_samples(x).astype(np.float64)
    yield "log_density", log_values(log_density, numbers(expected["log_density"]))
    _, log_resp = mixture._estimate_log_prob_resp(x)
    resp = np.exp(log_resp.astype(np.float64))
    if expected.get("resp") is not None:
        yield "resp", worst(difference(resp, numbers(expected["resp"])))
    yield "bic", log_values(np.float64(mixture.bic(x)), numbers(expected["bic"]))

    em = expected["em"]
    _, means_after, covariances_after = _estimate_gaussian_parameters(x, np.exp(log_resp), 0.0, form)
    if em.get("covariances") is not None:
        exact = dense(numbers(em["covariances"]), form, k, d)
        sd = np.sqrt(np.einsum("kii->ki", exact))
        means = numbers(em["means"])
        off = difference(means_after.astype(np.float64), means)
        yield "em.means", worst(ratio(off, np.maximum(np.abs(means), sd)))
        # One row or equal rows: a variance of 0 has no digits.
        if not (sd > 0).all():
            return
        off = difference(dense(covariances_after, form, k, d), exact)
        yield "em.covariances", worst(ratio(off, sd[:, :, None] * sd[:, None, :]))


def main():
    with open(sys.argv[1]) as file:
        cases = json.load(file)["cases"]
    print(f"# scikit-learn {sklearn.__version__}, numpy {np.__version__}, scipy {scipy.__version__}")
    print("case,output,error")
    outputs = ["log_density", "resp", "bic", "em.means", "em.covariances"]
    for case in cases:
        if case["inputs"].get("sample_weight") is not None:
            continue
        found = {}
        try:
            for output, error in errors(case):
                found[output] = error
        except ValueError as error:
            print(f"{case['id']}: {error}", file=sys.stderr)
            for output in outputs:
                found.setdefault(output, float("inf"))
        for output in outputs:
            if output in found:
                print(f"{case['id']},{output},{found[output]:.3e}")


main()
