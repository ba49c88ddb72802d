"""Student's t distribution: what takes the normal distribution's place while a standard deviation is known from few
units only (Student, Biometrika 6, 1908). Degrees of freedom need not be whole numbers, and may be infinite."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def two_sided_p(t: float, degrees: float) -> float:
    """The probability that |T| is at least |t| for T of `degrees` (above 0) degrees of freedom."""
    from scipy.special import stdtr  # a tenth of a second, which runs without intervals are spared

    return 2 * float(stdtr(degrees, -abs(t)))


@lru_cache(maxsize=4096)
def quantile(confidence: float, degrees: float) -> float:
    """The t within which, on both sides of zero, T is with the probability `confidence` (0 to 1, both left out)."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))
