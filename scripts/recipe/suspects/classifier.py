"""Scores: how much more often features like an utterance's come with a transcript that is wrong by construction.

Which transcripts are wrong nobody knows, but most are right. So a logistic regression learns to tell all of them from
the made ones, as of positive and unlabelled examples (Elkan and Noto 2008): it ranks as if it had learned right from
wrong, since few of all being wrong only scales what it learns down.
"""

import numpy as np
from scipy.special import expit

RIDGE = 1.0  # weight of the penalty on squared coefficients, in examples
_STEPS = 50


def scores(features: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores [utterances] of `features` [utterances, features] and [made] of those of made wrong transcripts, `wrong`
    [made, features]: the logarithm of how many times more frequent such features are among the made ones."""
    centre = np.median(features, axis=0)
    spread = 1.4826 * np.median(np.abs(features - centre), axis=0)  # of a normal distribution: its deviation
    spread = np.where(spread > 0, spread, np.maximum(features.std(axis=0), 1e-9))
    inputs, made = (_inputs((values - centre) / spread) for values in (features, wrong))
    weights = _fit(inputs, made)
    return inputs @ weights, made @ weights


def _inputs(values: np.ndarray) -> np.ndarray:
    """Standardized features with a column of ones; what is far out is compressed, but stays in order."""
    compressed = np.sign(values) * np.log1p(np.abs(values))
    return np.concatenate([compressed, np.ones((len(values), 1))], axis=1)


def _fit(unlabelled: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Coefficients [features + 1] of a logistic regression in which both sides weigh the same, by Newton's method."""
    inputs = np.concatenate([unlabelled, wrong])
    target = np.concatenate([np.zeros(len(unlabelled)), np.ones(len(wrong))])
    weight = np.where(target == 1, len(unlabelled) / max(1, len(wrong)), 1.0)
    penalty = np.full(inputs.shape[1], RIDGE)
    penalty[-1] = 1e-6
    found = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        likely = expit(inputs @ found)
        gradient = inputs.T @ (weight * (likely - target)) + penalty * found
        curvature = (inputs.T * (weight * likely * (1 - likely))) @ inputs + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        found -= step
        if np.abs(step).max() < 1e-8:
            break
    return found
