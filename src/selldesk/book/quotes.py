"""Quotes: a signed, stateless note that a match was offered to this project (readings R2).

It binds project, game, buyer and the matched items with units, and reserves nothing. Every process of a market can read it,
since the key is derived from SELLDESK_SECRET_KEY.
"""

import base64
import hashlib
import hmac

import msgspec

_MAC_BYTES = 16


class Quote(msgspec.Struct, array_like=True, frozen=True):
    project: int
    game: int
    buyer: int
    expires_at: int
    units: dict[int, int]
    """Item number → matched units."""


class QuoteSigner:
    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(b"selldesk quote\0" + secret).digest()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Quote)

    def sign(self, quote: Quote) -> str:
        body = self._encoder.encode(quote)
        return base64.urlsafe_b64encode(self._mac(body) + body).rstrip(b"=").decode()

    def covers(self, text: str, project: int, game: int, buyer: int, units: dict[int, int], now: int) -> bool:
        """Whether the note is ours, alive, this project's, and covers these units. Anything else counts as not sent."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return False
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            return False
        quote = self._decoder.decode(body)
        bound = (quote.project, quote.game, quote.buyer) == (project, game, buyer)
        return bound and now < quote.expires_at and all(quote.units.get(item, 0) >= wanted for item, wanted in units.items())

    def _mac(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=_MAC_BYTES, key=self._key).digest()
