"""Student's t distribution: what takes the normal distribution's place while a standard deviation is known from few
units only (Student, Biometrika 6, 1908). Degrees of freedom need not be whole numbers."""

import math
from functools import lru_cache

_TINY = 1e-300  # in place of a zero denominator
_PRECISION = 1e-14
_LARGEST = 1e6  # degrees of freedom; beyond, the normal distribution is equal in six digits


def two_sided_p(t: float, degrees: float) -> float:
    """The probability that |T| is at least |t| for T of `degrees` (above 0) degrees of freedom."""
    if degrees > _LARGEST:
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


@lru_cache(maxsize=4096)
def quantile(confidence: float, degrees: float) -> float:
    """The t within which, on both sides of zero, T is with the probability `confidence` (0 to 1, both left out)."""
    low, high = 0.0, 1.0
    while two_sided_p(high, degrees) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_p(middle, degrees) > 1 - confidence else (low, middle)
    return high


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun, Handbook of
    Mathematical Functions, 26.5.8), which converges fast below the mean; above, by the symmetry of the function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) / a / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 + d1/(1 + d2/(1 + ...)) by Lentz's method, term after term until it stands still."""
    value = above = 1.0
    below = 0.0
    for term in range(1, 100_000):
        half = term // 2
        if term % 2:
            d = -(a + half) * (a + b + half) * x / ((a + term - 1) * (a + term))
        else:
            d = half * (b - half) * x / ((a + term - 1) * (a + term))
        below = 1 / (1 + d * below or _TINY)
        above = 1 + d / above or _TINY
        value *= above * below
        if abs(above * below - 1) < _PRECISION:
            return value
    raise ArithmeticError(f"I_x(a, b) does not converge at x = {x}, a = {a}, b = {b}")
