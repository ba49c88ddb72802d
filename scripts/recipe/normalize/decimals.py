"""Arithmetic on numbers as they are written, so that no digit is lost however many there are."""


def scale(number: str, power: int) -> str:
    """A decimal number times 10^power: scale("1.5", 3) is "1500", scale("1.23456", 2) "123.456"."""
    integer, _, decimals = number.partition(".")
    integer += decimals[:power].ljust(power, "0")
    decimals = decimals[power:]
    integer = integer.lstrip("0") or "0"
    return f"{integer}.{decimals}" if decimals else integer
