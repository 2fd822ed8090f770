"""Further cases for the exact oracle, in the format `gmm-oracle/1`: other shapes, farther tails, harder scales.

Usage: more.py > more.json     (mpmath 1.4.1, numpy 2.4.6; deterministic)

Inputs are doubles as shortest decimals; expected values have 20 digits and follow from the definitions, computed with 460 digits
from the exact values of the inputs (an outlier of 1e200 needs over 400). Nothing is regularized. `attainable.*` is the error that
changes of the size of rounding in (x - mu), in the entries of covariances and in weights cause: the worst of four random trials.
"""

import json
import random
import sys

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.dps = 460
rng = np.random.default_rng(6)


# ---- Definitions

def cholesky(s):
    d = len(s)
    l = [[mpf(0)] * d for _ in range(d)]
    for i in range(d):
        for j in range(i + 1):
            v = s[i][j] - sum(l[i][m] * l[j][m] for m in range(j))
            l[i][j] = mpmath.sqrt(v) if i == j else v / l[j][j]
    return l


def log_gauss(difference, l):
    d, z = len(difference), []
    for i in range(d):
        z.append((difference[i] - sum(l[i][m] * z[m] for m in range(i))) / l[i][i])
    return -d * mpmath.log(2 * mp.pi) / 2 - sum(mpmath.log(l[i][i]) for i in range(d)) - sum(v * v for v in z) / 2


def e_step(form, x, w, mu, cov, change=lambda: mpf(1)):
    """log N, log p, log r and r; `change` multiplies each difference, each entry of a covariance and each weight."""
    k_, d = len(w), len(x[0])
    differences = [[[(row[j] - m[j]) * change() for j in range(d)] for m in mu] for row in x]
    factors = []
    for k in range(k_):
        if form == "tied" and k > 0:
            factors.append(factors[0])
            continue
        c = [[mpf(0)] * d for _ in range(d)]
        common = change()
        for i in range(d):
            for j in range(i + 1):
                if cov[k][i][j] != 0:
                    c[i][j] = c[j][i] = cov[k][i][j] * (common if form == "spherical" else change())
        factors.append(cholesky(c))
    log_w = [mpmath.log(v * change()) if v > 0 else mpf("-inf") for v in w]
    gauss = [[log_gauss(row[k], factors[k]) for k in range(k_)] for row in differences]
    density, log_r = [], []
    for row in gauss:
        joint = [a + b for a, b in zip(row, log_w)]
        m = max(joint)
        p = m + mpmath.log(sum(mpmath.exp(v - m) for v in joint if mpmath.isfinite(v)))
        density.append(p)
        log_r.append([v - p for v in joint])
    r = [[mpmath.exp(v) if mpmath.isfinite(v) else mpf(0) for v in row] for row in log_r]
    return gauss, density, log_r, r


def m_step(form, x, r, s):
    n_, k_, d = len(x), len(r[0]), len(x[0])
    nk = [sum(s[n] * r[n][k] for n in range(n_)) for k in range(k_)]
    total = sum(nk)
    out = dict(nk=nk, weights=[v / total for v in nk], means=None, covariances=None)
    if 0 in nk:
        return out
    mu = [[sum(s[n] * r[n][k] * x[n][j] for n in range(n_)) / nk[k] for j in range(d)] for k in range(k_)]

    def scatter(k, i, j):
        return sum(s[n] * r[n][k] * (x[n][i] - mu[k][i]) * (x[n][j] - mu[k][j]) for n in range(n_))

    def only(values):
        return [[values[i] if i == j else mpf(0) for j in range(d)] for i in range(d)]

    if form == "full":
        cov = [[[scatter(k, i, j) / nk[k] for j in range(d)] for i in range(d)] for k in range(k_)]
    elif form == "tied":
        cov = [[[sum(scatter(k, i, j) for k in range(k_)) / total for j in range(d)] for i in range(d)]] * k_
    elif form == "diag":
        cov = [only([scatter(k, i, i) / nk[k] for i in range(d)]) for k in range(k_)]
    else:
        cov = [only([sum(scatter(k, i, i) for i in range(d)) / nk[k] / d] * d) for k in range(k_)]
    # Of equal rows only the rounding of these 460 digits is left.
    size = [max(abs(row[j]) for row in x) for j in range(d)]
    least = mpf(10) ** -250
    cov = [[[c[i][j] if abs(c[i][j]) >= least * size[i] * size[j] else mpf(0) for j in range(d)] for i in range(d)] for c in cov]
    out.update(means=mu, covariances=cov)
    return out


# ---- Cases

def off(q, c):
    return abs(q - c) / max(1, abs(c)) if mpmath.isfinite(c) else 0


def flat(table):
    return [v for row in table for v in row]


def attainable(form, x, w, mu, cov, s, epsilon, exact, seed):
    random_ = random.Random(seed)
    gauss, density, log_r, r, em = exact
    names = "log_gauss log_density log_resp loglik resp em.nk em.weights em.means em.covariances".split()
    worst = {name: epsilon / 2 for name in names}

    def note(name, error):
        worst[name] = max(worst[name], float(error))

    for _ in range(4):
        change = lambda: 1 + mpf(random_.uniform(-1, 1) * epsilon / 2)
        gauss2, density2, log_r2, r2 = e_step(form, x, w, mu, cov, change)
        for name, a, b in (("log_gauss", gauss2, gauss), ("log_resp", log_r2, log_r)):
            for q, c in zip(flat(a), flat(b)):
                note(name, off(q, c))
        for q, c in zip(flat(r2), flat(r)):
            note("resp", abs(q - c))
        for q, c in zip(density2, density):
            note("log_density", off(q, c))
        weighted = lambda p: sum(a * b for a, b in zip(s, p))
        note("loglik", off(weighted(density2), weighted(density)))
        em2 = m_step(form, x, r2, s)
        for k in range(len(w)):
            if em["nk"][k] > 0:
                note("em.nk", abs(em2["nk"][k] / em["nk"][k] - 1))
                note("em.weights", abs(em2["weights"][k] / em["weights"][k] - 1))
            if em["means"] is None:
                continue
            c, c2 = em["covariances"][k], em2["covariances"][k]
            for i in range(len(c)):
                scale = max(abs(em["means"][k][i]), mpmath.sqrt(c[i][i]))
                if scale > 0:
                    note("em.means", abs(em2["means"][k][i] - em["means"][k][i]) / scale)
                for j in range(len(c)):
                    scale = mpmath.sqrt(c[i][i] * c[j][j])
                    if scale > 0:
                        note("em.covariances", abs(c2[i][j] - c[i][j]) / scale)
    return {name: repr(error) for name, error in worst.items()}


def digits(v):
    if isinstance(v, list):
        return [digits(u) for u in v]
    if not mpmath.isfinite(v):
        return "-inf" if v < 0 else "inf"
    return mpmath.nstr(v, 20)


def shortest(v):
    return [shortest(u) for u in v] if isinstance(v, list) else repr(float(v))


def exactly(v):
    return [exactly(u) for u in v] if isinstance(v, list) else mpf(float(v))


def blocks(form, cov):
    if form == "full":
        return cov
    if form == "tied":
        return cov[0]
    diagonals = [[c[i][i] for i in range(len(c))] for c in cov]
    return diagonals if form == "diag" else [v[0] for v in diagonals]


def parameters(form, k, d):
    return k - 1 + k * d + {"full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": k * d, "spherical": k}[form]


def update(form, step):
    out = dict(nk=digits(step["nk"]), weights=digits(step["weights"]), means=None, covariances=None)
    if step["means"] is not None:
        out.update(means=digits(step["means"]), covariances=digits(blocks(form, step["covariances"])))
    return out


cases = []


def add(family, form, x, w, mu, cov, s=None, note="", dtype="f64", is_long=False):
    n_, k_, d = len(x), len(w), len(x[0])
    given = resp_of(n_, k_)
    weights = [mpf(1)] * n_ if s is None else exactly(s)
    exact = [exactly(v) for v in (x, w, mu, cov)]
    gauss, density, log_r, r = e_step(form, *exact)
    em = m_step(form, exact[0], r, weights)
    log_likelihood = sum(a * b for a, b in zip(weights, density))
    p = parameters(form, k_, d)
    expected = dict(
        log_density=digits(density),
        loglik=digits(log_likelihood),
        n_params=p,
        bic=digits(-2 * log_likelihood + p * mpmath.log(sum(weights))),
        aic=digits(-2 * log_likelihood + 2 * p),
        labels=[max(range(k_), key=lambda k: (row[k], -k)) for row in r],
        em=update(form, em),
    )
    case = dict(
        id=f"m-{len(cases):03d}-{family}-{form}-d{d}k{k_}",
        family=family, cov_type=form, dtype=dtype, n=n_, d=d, k=k_, note=note,
        inputs=dict(x=shortest(x), weights=shortest(w), means=shortest(mu), covariances=shortest(blocks(form, cov)),
                    sample_weight=None if s is None else shortest(s)),
        expected=expected,
        attainable={},
    )
    if not is_long:
        expected.update(log_gauss=digits(gauss), log_resp=digits(log_r), resp=digits(r))
        epsilon = float(np.finfo(np.float32 if dtype == "f32" else np.float64).eps)
        case["attainable"] = attainable(form, *exact, weights, epsilon, (gauss, density, log_r, r, em), len(cases))
        case["mstep"] = dict(resp=shortest(given), **update(form, m_step(form, exact[0], exactly(given), weights)))
    cases.append(case)


# ---- What they are made of

def covariances(form, k_, d, condition=4.0, scale=None):
    out = []
    for _ in range(k_):
        values = np.exp(rng.uniform(-0.5, 0.5, size=d) * np.log(condition))
        if condition > 100:
            values = np.exp(np.linspace(0, -np.log(condition), d)) * rng.uniform(0.5, 2)
        if form in ("full", "tied"):
            q, _ = np.linalg.qr(rng.normal(size=(d, d)))
            c = (q * values) @ q.T
            c = (c + c.T) / 2
        else:
            c = np.diag(values if form == "diag" else [values[0]] * d)
        out.append((c if scale is None else c * np.outer(scale, scale)).tolist())
    return [out[0]] * k_ if form == "tied" else out


def near(n_, mu, cov):
    rows = []
    for n in range(n_):
        k = n % len(mu)
        values, axes = np.linalg.eigh(np.array(cov[k]))
        step = (axes * np.sqrt(np.maximum(values, 0))) @ rng.normal(size=len(mu[k]))
        rows.append((np.array(mu[k]) + step).tolist())
    return rows


def means(k_, d, separation=1.5):
    return (rng.normal(size=(k_, d)) * separation).tolist()


def mixing(k_):
    return rng.dirichlet([2.0] * k_).tolist()


def resp_of(n_, k_):
    r = np.maximum(rng.dirichlet([0.3] * k_, size=n_), 1e-300)
    return (r / r.sum(1, keepdims=True)).tolist()


def plus(a, b):
    return (np.array(a) + b).tolist()


def times(a, b):
    return (np.array(a) * b).tolist()


def single(a):
    return np.array(a, dtype=np.float32).astype(float).tolist()


for form in ["full", "tied", "diag", "spherical"]:
    for d, k in [(1, 2), (2, 5), (7, 3)]:
        mu, cov = means(k, d), covariances(form, k, d)
        add("well", form, near(5, mu, cov), mixing(k), mu, cov)
    for offset in (1e6, -1e8, 1e10):
        mu, cov = means(2, 2), covariances(form, 2, 2)
        add(f"offset{offset:.0e}", form, plus(near(5, mu, cov), offset), mixing(2), plus(mu, offset), cov)
    mu, cov = means(2, 2, 1e-3), covariances(form, 2, 2, scale=[1e-3] * 2)
    add("narrow1e+08", form, plus(near(5, mu, cov), 1e8), mixing(2), plus(mu, 1e8), cov)
    if form != "spherical":
        for condition in (1e9, 1e12):
            mu, cov = means(2, 4), covariances(form, 2, 4, condition)
            add(f"illcond{condition:.0e}", form, near(5, mu, cov), mixing(2), mu, cov)
        for scale in ([1e-8, 1e7, 1.0], [1e-150, 1.0, 1e150]):
            mu, cov, = means(2, 3), covariances(form, 2, 3)
            x = near(5, mu, cov)
            scaled = [times(c, np.outer(scale, scale)) for c in cov]
            add("badscale", form, times(x, scale), mixing(2), times(mu, scale), scaled)
    for far in (30.0, 1e3, 1e6, 1e150):
        mu, cov = means(2, 2), covariances(form, 2, 2)
        x = near(4, mu, cov)
        add(f"tail{far:.0e}", form, x + times(rng.normal(size=(4, 2)), far), mixing(2), mu, cov)
    mu, cov = means(2, 2), covariances(form, 2, 2)
    add("outlier", form, near(5, mu, cov) + [[1e200] * 2], mixing(2), mu, cov)
    for scale in (1e-153, 1e-150, 1e150, 3e151):
        mu, cov = means(2, 2), covariances(form, 2, 2)
        x = near(5, mu, cov)
        scaled = [times(c, scale * scale) for c in cov]
        add(f"scale{scale:.0e}", form, times(x, scale), mixing(2), times(mu, scale), scaled)
    mu, cov = means(1, 3) * 3, covariances(form, 1, 3) * 3
    add("tie", form, near(5, mu, cov), mixing(3), mu, cov)
    add("tie", form, [[0.0, v] for v in (-3.0, -1.0, 0.5, 1e3)], [0.5, 0.5], [[-1.0, 0.0], [1.0, 0.0]], [np.eye(2).tolist()] * 2)
    for tiny in (0.0, 1e-5, 1e-17, 1e-60, 1e-200, 1e-300):
        mu, cov = means(3, 2), covariances(form, 3, 2)
        add("weights", form, near(5, mu, cov), [tiny, 0.25, 0.75 - tiny], mu, cov)
    for distance in (6.0, 20.0, 30.0):
        mu, cov = [[0.0, 0.0], [distance] * 2], covariances(form, 2, 2, 2.0)
        add("starved", form, near(5, mu[:1], cov[:1]), [0.6, 0.4], mu, cov)
    mu, cov = [[1e5, -2e5], [-1e5, 3e5]], [np.diag([1e10, 1e10]).tolist()] * 2
    add("farstart", form, near(5, means(2, 2), covariances(form, 2, 2)), mixing(2), mu, cov)
    for n in (1, 2, 3):
        mu, cov = means(2, 3), covariances(form, 2, 3)
        add("tinyn", form, near(n, mu, cov), mixing(2), mu, cov)
    mu, cov = means(2, 2), covariances(form, 2, 2)
    add("tinyn", form, [[0.1, -0.7]] * 5, mixing(2), mu, cov, note="equal rows: next covariances are 0")
    for offset in (0.0, 1e4):
        mu, cov = single(plus(means(2, 2), offset)), [single(c) for c in covariances(form, 2, 2)]
        add("f32", form, single(near(5, mu, cov)), [0.25, 0.75], mu, cov, dtype="f32")
    for low, high in ((-4, 4), (-150, -140), (140, 150)):
        mu, cov = means(2, 2), covariances(form, 2, 2)
        s = 10.0 ** rng.uniform(low, high, size=5)
        s[3] = 0.0
        add("weighted", form, near(5, mu, cov), mixing(2), mu, cov, s=s.tolist())
    if form != "tied":
        for size in (1e12, 1e40):
            mu, cov = means(2, 2), covariances(form, 2, 2)
            cov = [times(cov[0], 1 / size), times(cov[1], size)]
            add("mixedscale", form, near(5, mu, cov), mixing(2), mu, cov)
    x = [[1000000.0 + v] for v in (0.2, 0.1, 0.3, 0.25)]
    add("nist", form, x, [1.0], [[1000000.2]], [[[0.005]]])
x = [[1e8 * (-1) ** i + rng.normal()] for i in range(200)]
add("longsum", "diag", x, [0.5, 0.5], [[1e8], [-1e8]], [[[1.0]], [[2.0]]], is_long=True)

header = dict(format="gmm-oracle/1", set="more", mpmath=mpmath.__version__, numpy=np.__version__, digits=mp.dps)
sys.stdout.write(json.dumps(dict(header=header, cases=[]))[:-2])
sys.stdout.write("\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]}\n")
