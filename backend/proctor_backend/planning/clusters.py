"""How far several rows of one patient count as less than that many patients."""


def design_effect(mean_size: float, correlation: float, size_variation: float = 0.0) -> float:
    """Return 1 + ((cv^2 + 1) m - 1) rho, the factor on a variance.

    m is the mean number of rows a patient, rho the correlation of two of them, cv the coefficient
    of variation of that number (Kish 1965; unequal sizes: Eldridge, Int J Epidemiol 2006;35:1292).
    """
    if mean_size < 1 or not 0 <= correlation <= 1 or size_variation < 0:
        raise ValueError("a design effect needs m >= 1, 0 <= rho <= 1 and cv >= 0")
    return 1 + ((size_variation**2 + 1) * mean_size - 1) * correlation


def effective_size(rows: float, effect: float) -> int:
    """Return how many independent rows carry the information of these, at least 1."""
    return max(1, int(rows / effect + 1e-9))


def inflated_size(independent: int, effect: float) -> int:
    """Return how many rows carry the information of so many independent ones."""
    return -int(-independent * effect // 1)
