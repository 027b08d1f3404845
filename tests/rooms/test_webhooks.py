"""Where webhooks may go, when they are tried again, and when an endpoint is given up, as tables (people P3)."""

import pytest

from selldesk.kernel.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from selldesk.webhooks.addresses import may_be_reached
from selldesk.webhooks.schedule import DELAYS, next_attempt_at, why_disabled
from selldesk.webhooks.urls import URL_CHARS_MAX, why_not

NOW = 1_773_396_000_000_000

ADDRESSES: list[tuple[str, bool]] = [
    ("93.184.216.34",                 True),
    ("8.8.8.8",                       True),
    ("2606:4700:4700::1111",          True),
    ("::ffff:8.8.8.8",                True),
    ("127.0.0.1",                     False),
    ("127.255.255.254",               False),
    ("10.0.0.1",                      False),
    ("172.16.0.1",                    False),
    ("172.31.255.255",                False),
    ("192.168.1.1",                   False),
    ("169.254.169.254",               False),
    ("100.64.0.1",                    False),
    ("0.0.0.0",                       False),
    ("0.1.2.3",                       False),
    ("255.255.255.255",               False),
    ("224.0.0.1",                     False),
    ("239.1.2.3",                     False),
    ("240.0.0.1",                     False),
    ("198.18.0.1",                    False),
    ("192.0.0.8",                     False),
    ("192.0.0.9",                     False),
    ("192.0.0.170",                   False),
    ("192.0.2.1",                     False),
    ("198.51.100.7",                  False),
    ("203.0.113.7",                   False),
    ("192.88.99.1",                   False),
    ("::1",                           False),
    ("::",                            False),
    ("::7f00:1",                      False),
    ("::8.8.8.8",                     False),
    ("::ffff:127.0.0.1",              False),
    ("::ffff:10.0.0.1",               False),
    ("::ffff:169.254.169.254",        False),
    ("64:ff9b::7f00:1",               False),
    ("64:ff9b::808:808",              False),
    ("64:ff9b:1::a00:1",              False),
    ("2001::1",                       False),
    ("2001:0:7f00:1::",               False),
    ("2001:db8::1",                   False),
    ("2002:7f00:1::",                 False),
    ("2002:808:808::1",               False),
    ("fc00::1",                       False),
    ("fd12:3456::1",                  False),
    ("fe80::1",                       False),
    ("fe80::1%eth0",                  False),
    ("fec0::1",                       False),
    ("ff02::1",                       False),
    ("ff0e::1",                       False),
    ("localhost",                     False),
    ("",                              False),
    ("1.2.3",                         False),
    ("0x7f000001",                    False),
]  # fmt: skip


@pytest.mark.parametrize(("address", "may"), ADDRESSES, ids=[row[0] or "nothing" for row in ADDRESSES])
def test_an_address(address: str, may: bool) -> None:
    assert may_be_reached(address) is may


LONG = "https://shop.example/" + "x" * (URL_CHARS_MAX - 21)
URLS: list[tuple[str, str | None, str | None]] = [
    # url                                     why not in a real market                                       why not where private ones may
    ("https://shop.example/hooks?a=1",        None,                                                          None),
    ("https://shop.example",                  None,                                                          None),
    ("https://SHOP.Example:443/x",            None,                                                          None),
    ("https://shop.example:8443/x",           None,                                                          None),
    ("https://shop.example./x",               None,                                                          None),
    ("https://a-b.c1.example/x",              None,                                                          None),
    (LONG,                                    None,                                                          None),
    (LONG + "x",                              "is longer than 2048 characters",                              "is longer than 2048 characters"),
    ("http://shop.example/x",                 "must begin with https://",                                    None),
    ("https://shop.example:80/x",             "must use port 443, or one from 1024 on",                      None),
    ("https://shop.example:22/x",             "must use port 443, or one from 1024 on",                      None),
    ("https://shop.example:0/x",              "must use port 443, or one from 1024 on",                      "must name a port from 1 to 65535"),
    ("https://shop.example:99999/x",          "is no URL",                                                   "is no URL"),
    ("https://shop.example:x/x",              "is no URL",                                                   "is no URL"),
    ("https://[::1/x",                        "is no URL",                                                   "is no URL"),
    ("https://127.0.0.1/x",                   "must name a host, not an address",                            None),
    ("http://127.0.0.1:9000/x",               "must begin with https://",                                    None),
    ("https://8.8.8.8/x",                     "must name a host, not an address",                            None),
    ("https://[::1]/x",                       "must name a host, not an address",                            None),
    ("https://[2606:4700::1111]/x",           "must name a host, not an address",                            None),
    ("https://2130706433/x",                  "must name a host with a dot in its name",                     None),
    ("https://0x7f.1/x",                      "must name a host with a dot in its name",                     None),
    ("https://127.1/x",                       "must name a host with a dot in its name",                     None),
    ("https://localhost/x",                   "must name a host with a dot in its name",                     None),
    ("https://intranet/x",                    "must name a host with a dot in its name",                     None),
    ("https://printer.local/x",               "names a host of a private network",                           None),
    ("https://metadata.google.internal/x",    "names a host of a private network",                           None),
    ("https://x.localhost/x",                 "names a host of a private network",                           None),
    ("https://router.home.arpa/x",            "names a host of a private network",                           None),
    ("https://printer.local./x",              "names a host of a private network",                           None),
    ("https://me@shop.example/x",             "must name no user or password",                               "must name no user or password"),
    ("https://me:pw@shop.example/x",          "must name no user or password",                               "must name no user or password"),
    ("https://shop.example/x#y",              "must have no fragment",                                       "must have no fragment"),
    ("https://shop.example/x#",               "must have no fragment",                                       "must have no fragment"),
    ("https://shop.example\\@evil.example/",  "must name no user or password",                               "must name no user or password"),
    ("https://shop.example/a\\b",             "holds a backslash",                                           "holds a backslash"),
    ("https://shop..example/x",               "must name a host with a dot in its name",                     None),
    ("https://-shop.example/x",               "must name a host with a dot in its name",                     None),
    ("https:///x",                            "must begin with https:// and name a host",                    "must begin with https:// and name a host"),
    ("ftp://shop.example/x",                  "must begin with https:// and name a host",                    "must begin with https:// and name a host"),
    ("shop.example/x",                        "must begin with https:// and name a host",                    "must begin with https:// and name a host"),
    ("",                                      "must begin with https:// and name a host",                    "must begin with https:// and name a host"),
    ("https://shop.example/ü",                "holds spaces, control characters or characters beyond ASCII", "holds spaces, control characters or characters beyond ASCII"),
    ("https://shop.example/a b",              "holds spaces, control characters or characters beyond ASCII", "holds spaces, control characters or characters beyond ASCII"),
    ("https://shop.example/\r\nx: y",         "holds spaces, control characters or characters beyond ASCII", "holds spaces, control characters or characters beyond ASCII"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "public", "private"), URLS, ids=[row[0][:40] or "nothing" for row in URLS])
def test_a_url(url: str, public: str | None, private: str | None) -> None:
    assert (why_not(url, allow_private=False), why_not(url, allow_private=True)) == (public, private)


def test_the_schedule_is_that_of_the_specification() -> None:
    """Ten attempts in 75 hours and 35 minutes, each lengthened by a tenth at most."""
    assert sum(DELAYS) == 75 * HOUR_US + 35 * MINUTE_US + 5 * SECOND_US
    for luck in (0.0, 0.5, 1.0):
        now, made = NOW, 1
        while (at := next_attempt_at(made, now, luck, 500, None)) is not None:
            assert at - now == int(DELAYS[made] * (1 + luck / 10))
            now, made = at, made + 1
        assert made == 10


RETRIES: list[tuple[str, int, int | None, int | None, int | None]] = [
    # what                        made  status  Retry-After    after
    ("an error",                  1,    500,    None,          5 * SECOND_US),
    ("no answer",                 2,    None,   None,          5 * MINUTE_US),
    ("too many",                  1,    429,    60,            60 * SECOND_US),
    ("unavailable",               1,    503,    3_600,         HOUR_US),
    ("… for a week",              1,    503,    604_800,       DAY_US),
    ("… for less than planned",   2,    429,    1,             5 * MINUTE_US),
    ("an error that says when",   1,    500,    3_600,         5 * SECOND_US),
    ("moved",                     1,    301,    3_600,         5 * SECOND_US),
    ("the last one",              10,   503,    60,            None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "made", "status", "retry_after", "after"), RETRIES, ids=[row[0] for row in RETRIES])
def test_when_it_is_tried_again(what: str, made: int, status: int | None, retry_after: int | None, after: int | None) -> None:
    assert next_attempt_at(made, NOW, 0.0, status, retry_after) == (None if after is None else NOW + after)


ENDS: list[tuple[str, int | None, int | None, int, str | None]] = [
    # what                             status  failing since     failures  reason
    ("gone",                           410,    NOW,              1,        "gone"),
    ("an error",                       500,    NOW,              1,        None),
    ("for five days, often enough",    500,    NOW - 5 * DAY_US, 20,       "failing"),
    ("for five days, but seldom",      500,    NOW - 5 * DAY_US, 19,       None),
    ("often, but not for five days",   None,   NOW - 5 * DAY_US + 1, 500,  None),
    ("never before",                   None,   None,             0,        None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "status", "since", "failures", "reason"), ENDS, ids=[row[0] for row in ENDS])
def test_when_an_endpoint_is_given_up(what: str, status: int | None, since: int | None, failures: int, reason: str | None) -> None:
    assert why_disabled(status, since, failures, NOW, 5 * DAY_US) == reason
