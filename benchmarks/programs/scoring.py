"""The bootstrap of a whole test set's scores. Settings: cores, films, classes, resamples."""

import time

import numpy as np

from benchmarks.channel import Parent, serve, settings
from trainer.metrics.bootstrap import bootstrap

_FILMS_PER_PATIENT = 9
"""NIH's official test set: 25,596 films of 2,797 patients."""


def main() -> None:
    """Scores once at each request."""
    given, parent = settings(), Parent()
    shape, random = (given["films"], given["classes"]), np.random.default_rng(0)
    labels = (random.random(shape) < 0.1).astype(np.float32)
    scores = (random.random(shape) + 0.3 * labels).astype(np.float32)
    patients = np.arange(given["films"]) // _FILMS_PER_PATIENT

    def measure() -> dict[str, float]:
        began = time.perf_counter()
        bootstrap(
            scores,
            labels,
            patients,
            resamples=given["resamples"],
            confidence=0.95,
            seed=0,
            mean_over=range(given["classes"]),
            at_specificity=0.9,
            at_sensitivity=0.9,
        )
        return {"seconds": time.perf_counter() - began}

    serve(parent, measure)


if __name__ == "__main__":
    main()
