"""Steam's codec: protobuf, codes and keys, trade links, tokens, limits of calls."""

import base64
import contextlib
import hmac
from collections.abc import Callable

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from selldesk.steamwire import protobuf, tokens
from selldesk.steamwire.buckets import LAWS, Bucket, Law, bucket_of
from selldesk.steamwire.credentials import Credentials, Tokens
from selldesk.steamwire.guard import confirmation_key, guard_code, is_secret
from selldesk.steamwire.tradelink import TradeLink, parse_trade_link

LINK = TradeLink(1000004, "abcDEF12")
VALUES = st.one_of(st.integers(0, 2**64 - 1), st.text(max_size=20), st.binary(max_size=20), st.booleans())


@given(st.lists(st.tuples(st.integers(1, 2000), VALUES), max_size=10))
def test_protobuf_comes_back_as_it_went(fields: list[tuple[int, protobuf.Value]]) -> None:
    message = protobuf.Message(protobuf.encode(fields))
    for number, value in dict(fields).items():
        if isinstance(value, int):
            assert message.get_int(number) == int(value)
        else:
            assert message.get_bytes(number) == (value.encode() if isinstance(value, str) else value)


def test_protobuf_knows_fixed64_float_and_repeated_messages() -> None:
    inner = [protobuf.encode([(1, kind)]) for kind in (3, 4)]
    data = protobuf.encode([(5, protobuf.Fixed64(76561197960265728)), (3, 2.5), *((4, part) for part in inner), (9, None)])
    message = protobuf.Message(data)
    assert message.get_int(5) == 76561197960265728
    assert message.get_float(3) == 2.5
    assert [part.get_int(1) for part in message.messages(4)] == [3, 4]
    assert (message.get_int(9, 7), message.get_text(8)) == (7, "")


@given(st.binary(max_size=60))
def test_noise_is_no_message_or_a_fault_and_never_a_crash(noise: bytes) -> None:
    with contextlib.suppress(protobuf.ProtobufFault):
        protobuf.Message(noise)


def test_known_codes_and_keys() -> None:
    """Against values of the reference implementation's published test vectors."""
    secret = base64.b64encode(b"superdupersecret").decode()
    assert guard_code(secret, 3_000_030) == "YRGQJ"
    assert guard_code(secret, 3_000_029) == "94R9D"
    identity = base64.b64encode(b"superdupersecret").decode()
    assert confirmation_key(identity, 1_700_000_000, "list") != confirmation_key(identity, 1_700_000_000, "accept")
    assert len(base64.b64decode(confirmation_key(identity, 1_700_000_000, "list"))) == 20


LINKS = [
    ("https://steamcommunity.com/tradeoffer/new/?partner=1000004&token=abcDEF12", LINK),
    ("https://steamcommunity.com/tradeoffer/new/?partner=4294967295&token=a-_Z", TradeLink(4294967295, "a-_Z")),
    ("https://steamcommunity.com/tradeoffer/new/?token=abc&partner=1", None),
    ("https://steamcommunity.com/tradeoffer/new?partner=1&token=abc", None),
    ("https://steamcommunity.com/tradeoffer/new/?partner=01&token=abc", None),
    ("https://steamcommunity.com/tradeoffer/new/?partner=4294967296&token=abc", None),
    ("https://steamcommunity.com/tradeoffer/new/?partner=1&token=", None),
    ("https://steamcommunity.com/tradeoffer/new/?partner=1&token=a b", None),
    ("https://steamcommunity.com/tradeoffer/new/?partner=1&token=abc#x", None),
    ("https://steamcommunity.com/tradeoffer/new/?partner=1&token=abc\n", None),
    ("https://steamcommunity.com@evil.example/tradeoffer/new/?partner=1&token=abc", None),
    ("HTTPS://steamcommunity.com/tradeoffer/new/?partner=1&token=abc", None),
    ("https://steamcommunity.com/tradeoffer/new/?partner=١&token=abc", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "link"), LINKS)
def test_trade_links(text: str, link: TradeLink | None) -> None:
    assert parse_trade_link(text) == link
    if link is not None:
        assert link.url == text


def test_a_trade_link_names_a_steamid64() -> None:
    assert LINK.steamid64 == "76561197961265732"


SECRETS = [
    # text                                 can be a secret
    (base64.b64encode(b"x" * 20).decode(), True),
    (base64.b64encode(b"x" * 19).decode(), False),
    (base64.b64encode(b"x" * 21).decode(), False),
    ("not base64!",                        False),
    ("é",                                  False),
    ("",                                   False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SECRETS)
def test_what_can_be_a_secret_of_the_phone(text: str, expected: bool) -> None:
    assert is_secret(text) is expected


def test_the_key_of_a_confirmation() -> None:
    """HMAC-SHA1 over the time as eight bytes and the tag (protocol §3.2)."""
    secret = base64.b64encode(b"superdupersecret").decode()
    expected = hmac.digest(b"superdupersecret", b"\x00\x00\x00\x00\x65\x53\xf1\x00list", "sha1")
    assert confirmation_key(secret, 1_700_000_000, "list") == base64.b64encode(expected).decode()


# -- protobuf ----------------------------------------------------------------------------------------------------------

ENCODED: list[tuple[str, list[tuple[int, protobuf.Value | None]], bytes]] = [
    # what                    fields                      bytes
    ("nothing",               [(1, None)],                b""),
    ("a small number",        [(1, 127)],                 b"\x08\x7f"),
    ("a number of two bytes", [(1, 300)],                 b"\x08\xac\x02"),
    ("a negative number",     [(1, -1)],                  b"\x08" + b"\xff" * 9 + b"\x01"),
    ("yes",                   [(2, True)],                b"\x10\x01"),
    ("eight bytes",           [(1, protobuf.Fixed64(1))], b"\x09\x01" + bytes(7)),
    ("a float",               [(1, 1.0)],                 b"\x0d\x00\x00\x80\x3f"),
    ("text",                  [(2, "ä")],                 b"\x12\x02\xc3\xa4"),
    ("bytes",                 [(2, b"\x00")],             b"\x12\x01\x00"),
    ("a large field number",  [(16, 1)],                  b"\x80\x01\x01"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "fields", "expected"), ENCODED, ids=[row[0] for row in ENCODED])
def test_how_fields_are_written(what: str, fields: list[tuple[int, protobuf.Value | None]], expected: bytes) -> None:
    assert protobuf.encode(fields) == expected


FAULTS = [
    # what                           bytes                             the fault
    ("a length without its bytes",   b"\x0a\x05abc",                   "truncated message"),
    ("half a number of eight bytes", b"\x09\x01\x02",                  "truncated message"),
    ("half a float",                 b"\x0d\x01\x02",                  "truncated message"),
    ("a field 0",                    b"\x00\x01",                      "truncated message"),
    ("a varint without an end",      b"\x08\xff",                      "truncated varint"),
    ("a varint of eleven bytes",     b"\x08" + b"\xff" * 10 + b"\x01", "truncated varint"),
    ("a key alone",                  b"\x08",                          "truncated varint"),
    ("a group",                      b"\x0b",                          "wire type 3"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_bytes_that_are_no_message(what: str, data: bytes, fault: str) -> None:
    with pytest.raises(protobuf.ProtobufFault, match=fault):
        protobuf.Message(data)


READ: list[tuple[str, bytes, Callable[[protobuf.Message], object], object]] = [
    # what                        bytes                            asked                                                      answer
    ("the last of several",       b"\x08\x01\x08\x02",             lambda one: one.get_int(1),                                2),
    ("a number that isn't there", b"",                             lambda one: one.get_int(1, 7),                             7),
    ("… is 0",                    b"",                             lambda one: one.get_int(1),                                0),
    ("eight bytes as a number",   b"\x09\x02\x01" + bytes(6),      lambda one: one.get_int(1),                                258),
    ("the largest varint",        b"\x08" + b"\xff" * 9 + b"\x01", lambda one: one.get_int(1),                                2**64 - 1),
    ("bytes",                     b"\x0a\x01\xff",                 lambda one: one.get_bytes(1),                              b"\xff"),
    ("bytes that aren't there",   b"",                             lambda one: one.get_bytes(1),                              b""),
    ("bytes that are a number",   b"\x08\x01",                     lambda one: one.get_bytes(1),                              protobuf.ProtobufFault("field 1 is a number")),
    ("text",                      b"\x0a\x02\xc3\xa4",             lambda one: one.get_text(1),                               "ä"),
    ("text that is none",         b"\x0a\x01\xff",                 lambda one: one.get_text(1),                               protobuf.ProtobufFault("field 1 is no text")),
    ("a float",                   b"\x0d\x00\x00\x80\x3f",         lambda one: one.get_float(1),                              1.0),
    ("a float that is a number",  b"\x08\x01",                     lambda one: one.get_float(1, .5),                          0.5),
    ("a float of eight bytes",    b"\x09" + bytes(8),              lambda one: one.get_float(1, .5),                          0.5),
    ("a float that isn't there",  b"",                             lambda one: one.get_float(1),                              0.0),
    ("messages, but no numbers",  b"\x0a\x02\x08\x05\x08\x07",     lambda one: [part.get_int(1) for part in one.messages(1)], [5]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "ask", "expected"), READ, ids=[row[0] for row in READ])
def test_how_fields_are_read(what: str, data: bytes, ask: Callable[[protobuf.Message], object], expected: object) -> None:
    if isinstance(expected, protobuf.ProtobufFault):
        with pytest.raises(protobuf.ProtobufFault, match=str(expected)):
            ask(protobuf.Message(data))
    else:
        assert ask(protobuf.Message(data)) == expected


# -- tokens ------------------------------------------------------------------------------------------------------------


def _jwt(body: bytes) -> str:
    return f"e30.{tokens.encode_part(body)}.x"


TOKENS: list[tuple[str, str, int | str]] = [
    # what              token                     expires at, or the fault
    ("a token",         _jwt(b'{"exp": 7}'),      7),
    ("without padding", _jwt(b'{"exp": 1234}'),   1234),
    ("two parts",       "e30.e30",                "three parts"),
    ("four parts",      "e30.e30.x.y",            "three parts"),
    ("a list",          _jwt(b"[]"),              "carries an object"),
    ("no JSON",         _jwt(b"{"),               "Expecting property name"),
    ("without an end",  _jwt(b"{}"),              "without exp"),
    ("an end in words", _jwt(b'{"exp": "soon"}'), "without exp"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "token", "expected"), TOKENS, ids=[row[0] for row in TOKENS])
def test_when_a_token_expires(what: str, token: str, expected: int | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            tokens.expires_at_seconds(token)
    else:
        assert tokens.expires_at_seconds(token) == expected
        assert tokens.claims(token) == {"exp": expected}


def test_secrets_and_tokens_are_kept_as_they_are() -> None:
    for kept in (Credentials("bot", None, "s", "i", "7"), Tokens("r", "a")):
        assert msgspec.json.decode(msgspec.json.encode(kept), type=type(kept)) == kept


# -- limits of calls ---------------------------------------------------------------------------------------------------

PATHS = [
    # path                                  bucket
    ("/IEconService/GetTradeOffers/v1/",    "offers"),
    ("/IEconService/GetTradeOffers/v1",     "offers"),
    ("/IEconService/GetTradeOffersSummary", "offers"),
    ("/IEconService/GetTradeOffer/v1/",     "offer"),
    ("/IEconService/GetTradeStatus/v1/",    "status"),
    ("/IEconService/GetTradeHistory/v1/",   "history"),
    ("/tradeoffer/new/partnerinventory/",   "inventory"),
    ("/tradeoffer/new/send",                None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "bucket"), PATHS)
def test_which_bucket_a_call_draws_from(path: str, bucket: str | None) -> None:
    assert bucket_of(path) == bucket
    assert bucket is None or bucket in LAWS


DRAWS: list[tuple[str, list[int], list[bool]]] = [
    # what                          drawn at                   given (three at once, one more every 10)
    ("a burst, and no more",        [0, 0, 0, 0],              [True, True, True, False]),
    ("one more as each drop comes", [0, 0, 0, 9, 10, 10, 20],  [True, True, True, False, True, False, True]),
    ("a refusal takes nothing",     [0, 0, 0, 1, 2, 10],       [True, True, True, False, False, True]),
    ("full again after a rest",     [0, 0, 0, 30, 30, 30, 30], [True, True, True, True, True, True, False]),
    ("never more than full",        [0, 999, 999, 999, 999],   [True, True, True, True, False]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "at", "expected"), DRAWS, ids=[row[0] for row in DRAWS])
def test_a_bucket(what: str, at: list[int], expected: list[bool]) -> None:
    bucket = Bucket(Law(3, 10))
    assert [bucket.draw(moment) for moment in at] == expected


def test_a_bucket_that_somebody_emptied_or_whose_clock_went_back() -> None:
    bucket = Bucket(Law(3, 10))
    bucket.empty(100)
    assert (bucket.free_at_us(), bucket.draw(109), bucket.draw(110)) == (110, False, True)
    bucket.empty(10_000)
    bucket.mend(200)
    assert bucket.free_at_us() == 210, "no emptier than empty"
    bucket.mend(200)
    assert (bucket.free_at_us(), bucket.draw(210)) == (210, True)
