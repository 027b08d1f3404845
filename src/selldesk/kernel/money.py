"""Money is an integer number of mills, thousandths of a dollar: 14500 is 14.50 USD. No float ever touches it."""

import re


def divide_half_up(numerator: int, denominator: int) -> int:
    """Integer division of non-negative numbers, rounded half up (R1)."""
    return (2 * numerator + denominator) // (2 * denominator)


def platform_fee(value_mills: int, fee_basis_points: int) -> int:
    """The platform's share of a sale: floor(value × bps / 10,000) (R5)."""
    return value_mills * fee_basis_points // 10_000


_AMOUNT = re.compile(
    r"(?P<mills>[0-9]{1,19})|(?P<lead>\$)?(?P<whole>[0-9]{1,16})(?:\.(?P<part>[0-9]{1,3}))?(?P<tail> ?(?:\$|usd))?", re.IGNORECASE
)
HOW_TO_WRITE = "write thousandths of a dollar in plain digits (50000), or dollars with their sign ($50.00, 50.00usd)"


def parse_amount(text: str) -> int:
    """What a person wrote → mills: plain digits are mills, with `$` or `usd` they are dollars with at most three decimals. Raises
    ValueError in words: `50.00` alone might be either."""
    found = _AMOUNT.fullmatch(text)
    if found is None or not text.isascii():
        raise ValueError(f"{text!r} is not an amount: {HOW_TO_WRITE}")
    if found["mills"] is not None:
        return int(found["mills"])
    if (found["lead"] is None) == (found["tail"] is None):
        raise ValueError(f"{text!r} may be dollars or thousandths of them: {HOW_TO_WRITE}")
    return int(found["whole"]) * 1000 + int((found["part"] or "").ljust(3, "0"))


def both_units(mills: int) -> str:
    """50000 → '50.00 $ (50000 mills)'."""
    return f"{dollars(mills)} ({mills} mills)"


def dollars(mills: int) -> str:
    """For people's eyes: 14500 → '14.50 $', 5 → '0.005 $'."""
    sign, mills = ("-", -mills) if mills < 0 else ("", mills)
    whole, rest = divmod(mills, 1000)
    decimals = f"{rest:03d}"
    return f"{sign}{whole:,}.{decimals if decimals[2] != '0' else decimals[:2]} $"
