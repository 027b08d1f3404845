"""Money is an integer number of mills, thousandths of a dollar: 14500 is 14.50 USD. No float ever touches it."""


def divide_half_up(numerator: int, denominator: int) -> int:
    """Integer division of non-negative numbers, rounded half up (R1)."""
    return (2 * numerator + denominator) // (2 * denominator)


def platform_fee(value_mills: int, fee_basis_points: int) -> int:
    """The platform's share of a sale: floor(value × bps / 10,000) (R5)."""
    return value_mills * fee_basis_points // 10_000


def dollars(mills: int) -> str:
    """For people's eyes: 14500 → '14.50 $', 5 → '0.005 $'."""
    sign, mills = ("-", -mills) if mills < 0 else ("", mills)
    whole, rest = divmod(mills, 1000)
    decimals = f"{rest:03d}"
    return f"{sign}{whole:,}.{decimals if decimals[2] != '0' else decimals[:2]} $"
