"""A Python system of `cargo xtask bench --peers`: fits on command, from the rows and the start that all systems share.

    worker.py SYSTEM FOLDER WORKLOAD N D K FORM THREADS

The first line it writes says its version, or why it stands aside. Then it reads a command a line and answers each with
a line of JSON: `fit N`, `keep N STEM` (and write the parameters), `predict`, `memory`. Clocks run only while the system
itself works: data are in memory before, results are taken apart after.
"""

import json
import sys
import time
import warnings

import numpy as np


class Problem:
    """What is to be fitted, as arrays; covariances are dense (K x D x D) whatever the form."""

    def __init__(self, folder, name, n, d, k, form, threads):
        stem = f"{folder}/{name}"
        self.n_components, self.form, self.threads = k, form, threads
        self.x = np.load(f"{stem}.x.npy")
        self.weights = np.load(f"{stem}.start.weights.npy").ravel()
        self.means = np.load(f"{stem}.start.means.npy")
        self.covariances = np.load(f"{stem}.start.covariances.npy").reshape(k, d, d)
        if self.x.shape != (n, d):
            raise ValueError(f"the table is {self.x.shape} and should be {(n, d)}")

    def of_form(self, dense):
        """Dense matrices as scikit-learn stores them."""
        if self.form == "tied":
            return dense[0]
        if self.form == "diag":
            return np.array([np.diag(m) for m in dense])
        if self.form == "spherical":
            return np.array([m[0, 0] for m in dense])
        return dense

    def dense(self, of_form):
        """The inverse of `of_form`."""
        k, d = self.means.shape
        if self.form == "tied":
            return np.repeat(of_form[None], k, axis=0)
        if self.form == "diag":
            return np.array([np.diag(v) for v in of_form])
        if self.form == "spherical":
            return np.array([v * np.eye(d) for v in of_form])
        return of_form


class ScikitLearn:
    """GaussianMixture without its ridge, which would make it another fit, and with a tolerance that is never met."""

    dtype = np.float64

    def __init__(self, problem):
        import sklearn
        from sklearn.mixture import GaussianMixture

        # That it has not converged is what it was asked for.
        warnings.filterwarnings("ignore")
        self.version = sklearn.__version__
        self.make = GaussianMixture
        self.problem = problem
        problem.x = problem.x.astype(self.dtype, copy=False)
        self.start = {
            "weights_init": problem.weights.astype(self.dtype),
            "means_init": problem.means.astype(self.dtype),
            "precisions_init": problem.of_form(np.linalg.inv(problem.covariances)).astype(self.dtype),
        }

    def fit(self, n_iterations):
        p = self.problem
        self.mixture = self.make(
            p.n_components, covariance_type=p.form, tol=0.0, reg_covar=0.0, max_iter=n_iterations, **self.start
        )
        self.mixture.fit(p.x)

    def check(self, n_iterations):
        if self.mixture.n_iter_ != n_iterations:
            raise RuntimeError(f"{self.mixture.n_iter_} iterations in place of {n_iterations}")

    def parameters(self):
        m = self.mixture
        return m.weights_, m.means_, self.problem.dense(m.covariances_)

    def predict(self):
        return self.mixture.predict_proba(self.problem.x)


class ScikitLearnSingle(ScikitLearn):
    """The same in single precision throughout."""

    dtype = np.float32


class OneDal:
    """oneDAL's em_gmm, which computes no probabilities."""

    forms = ("full", "diag")
    predict = None

    def __init__(self, problem):
        import daal4py
        from importlib.metadata import version

        self.version = version("daal")
        self.api = daal4py
        self.problem = problem
        daal4py.daalinit(problem.threads)
        if problem.form == "diag":
            self.options = {"covarianceStorage": "diagonal"}
            self.covariances = [np.diag(m)[None].copy() for m in problem.covariances]
        else:
            self.options = {}
            self.covariances = [m.copy() for m in problem.covariances]

    def fit(self, n_iterations):
        p = self.problem
        algorithm = self.api.em_gmm(
            nComponents=p.n_components, maxIterations=n_iterations, accuracyThreshold=0.0, **self.options
        )
        # It may write into its input.
        covariances = [m.copy() for m in self.covariances]
        self.result = algorithm.compute(p.x, p.weights[None].copy(), p.means.copy(), covariances)

    def check(self, n_iterations):
        done = int(np.ravel(self.result.nIterations)[0])
        if done != n_iterations:
            raise RuntimeError(f"{done} iterations in place of {n_iterations}")

    def parameters(self):
        r = self.result
        matrices = [np.asarray(m) for m in r.covariances]
        if self.problem.form == "diag":
            matrices = [np.diag(np.ravel(m)) for m in matrices]
        return np.asarray(r.weights), np.asarray(r.means), np.array(matrices)


class OpenCv:
    """cv::ml::EM from given parameters; it has no batch prediction, and its spherical form leads to another likelihood."""

    forms = ("full", "diag")
    predict = None

    def __init__(self, problem):
        import cv2

        self.version = cv2.__version__
        self.api = cv2
        self.problem = problem
        cv2.setNumThreads(problem.threads)

    def fit(self, n_iterations):
        cv2, p = self.api, self.problem
        kinds = {
            "full": cv2.ml.EM_COV_MAT_GENERIC,
            "diag": cv2.ml.EM_COV_MAT_DIAGONAL,
        }
        self.em = cv2.ml.EM_create()
        self.em.setClustersNumber(p.n_components)
        self.em.setCovarianceMatrixType(kinds[p.form])
        # It counts E-steps, and the last has no M-step after it. A threshold of 0 would be taken for the default.
        criteria = cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS
        self.em.setTermCriteria((criteria, n_iterations + 1, 1e-300))
        self.em.trainE(p.x, p.means.copy(), cv2.Mat(p.covariances), p.weights[None].copy())

    def check(self, n_iterations):
        pass  # It does not say how many iterations it took; the comparison of likelihoods does.

    def parameters(self):
        return self.em.getWeights(), self.em.getMeans(), np.array(self.em.getCovs())


SYSTEMS = {
    "sklearn": ScikitLearn,
    "sklearn-f32": ScikitLearnSingle,
    "onedal": OneDal,
    "opencv": OpenCv,
}


class Memory:
    """Peak of the process beyond what it holds now, as Linux counts; nothing elsewhere."""

    def __init__(self):
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # sets the peak back, see proc(5)
        except OSError:
            pass  # then the peak may be one of before
        self.resident = self.status("VmRSS:")

    def beyond(self):
        peak = self.status("VmHWM:")
        return {} if peak is None or self.resident is None else {"bytes": max(peak - self.resident, 0)}

    @staticmethod
    def status(name):
        try:
            with open("/proc/self/status") as file:
                return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))
        except (OSError, StopIteration):
            return None


def say(**answer):
    print(json.dumps(answer), flush=True)


def timed(work, *words):
    clock = time.perf_counter()
    work(*words)
    return time.perf_counter() - clock


def main():
    name, folder, workload, n, d, k, form, threads = sys.argv[1:]
    kind = SYSTEMS[name]
    if form not in getattr(kind, "forms", (form,)):
        return say(absent=f"no {form} covariances")
    try:
        system = kind(Problem(folder, workload, int(n), int(d), int(k), form, int(threads)))
    except ImportError as error:
        return say(absent=str(error))
    memory = Memory()
    say(version=system.version)
    for line in sys.stdin:
        match line.split():
            case ["fit", n_iterations]:
                say(seconds=timed(system.fit, int(n_iterations)))
                system.check(int(n_iterations))
            case ["keep", n_iterations, stem]:
                seconds = timed(system.fit, int(n_iterations))
                system.check(int(n_iterations))
                for part, array in zip(("weights", "means", "covariances"), system.parameters()):
                    array = np.asarray(array, dtype=np.float64)
                    np.save(f"{stem}.{part}.npy", array.reshape(-1, array.shape[-1]))
                say(seconds=seconds)
            case ["predict"]:
                if system.predict is None:
                    say(absent="no probabilities")
                else:
                    say(seconds=timed(system.predict))
            case ["memory"]:
                say(**memory.beyond())
            case words:
                raise ValueError(f"there is no command {words}")


if __name__ == "__main__":
    main()
