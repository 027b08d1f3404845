"""Steam's numbers (protocol §4). Unknown ones stay plain integers: nobody may crash on a new value."""

from enum import IntEnum


class OfferState(IntEnum):
    """ETradeOfferState."""

    INVALID = 1
    ACTIVE = 2
    ACCEPTED = 3
    COUNTERED = 4
    EXPIRED = 5
    CANCELED = 6
    DECLINED = 7
    INVALID_ITEMS = 8
    NEEDS_CONFIRMATION = 9
    CANCELED_BY_SECOND_FACTOR = 10
    IN_ESCROW = 11
    REVERTED = 12


class TradeStatus(IntEnum):
    """ETradeStatus: the state of an exchange."""

    INIT = 0
    PRE_COMMITTED = 1
    COMMITTED = 2
    COMPLETE = 3
    FAILED = 4
    PARTIAL_SUPPORT_ROLLBACK = 5
    FULL_SUPPORT_ROLLBACK = 6
    SUPPORT_ROLLBACK_SELECTIVE = 7
    ROLLBACK_FAILED = 8
    ROLLBACK_ABANDONED = 9
    IN_ESCROW = 10
    ESCROW_ROLLBACK = 11
    TRADE_PROTECTION_ROLLBACK = 12


class EResult(IntEnum):
    """The results that web calls give (header x-eresult, the number in strError)."""

    OK = 1
    FAIL = 2
    INVALID_PASSWORD = 5
    LOGGED_IN_ELSEWHERE = 6
    INVALID_PARAM = 8
    FILE_NOT_FOUND = 9
    BUSY = 10
    INVALID_STATE = 11
    ACCESS_DENIED = 15
    TIMEOUT = 16
    SERVICE_UNAVAILABLE = 20
    INSUFFICIENT_PRIVILEGE = 24
    LIMIT_EXCEEDED = 25
    REVOKED = 26
    EXPIRED = 27
    ALREADY_REDEEMED = 28
    DUPLICATE_REQUEST = 29
    NO_MATCH = 42
    BANNED = 50
    REMOTE_CALL_FAILED = 55
    ACCOUNT_LOGIN_DENIED_NEED_TWO_FACTOR = 85
    RATE_LIMIT_EXCEEDED = 84
    TWO_FACTOR_CODE_MISMATCH = 88
