"""Steam's mobile authenticator: login codes and the keys of mobile confirmations."""

import base64
import hmac
import struct

_ALPHABET = "23456789BCDFGHJKMNPQRTVWXY"
CODE_SECONDS = 30
SECRET_BYTES = 20


def is_secret(text: str) -> bool:
    """Whether it can be one of the authenticator's secrets: base64 of 20 bytes."""
    try:
        return len(base64.b64decode(text, validate=True)) == SECRET_BYTES
    except ValueError:
        return False


def guard_code(shared_secret: str, at_seconds: int) -> str:
    """The five characters that the mobile app shows at a moment. `shared_secret` is base64. Raises ValueError on a bad one."""
    digest = hmac.digest(base64.b64decode(shared_secret), struct.pack(">Q", at_seconds // CODE_SECONDS), "sha1")
    start = digest[19] & 0x0F
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    code = ""
    for _ in range(5):
        number, place = divmod(number, len(_ALPHABET))
        code += _ALPHABET[place]
    return code


def confirmation_key(identity_secret: str, at_seconds: int, tag: str) -> str:
    """`k` of /mobileconf calls: base64(HMAC-SHA1(secret, time as 8 bytes big endian ‖ tag)) (protocol §3.2)."""
    message = struct.pack(">Q", at_seconds) + tag.encode("ascii")
    return base64.b64encode(hmac.digest(base64.b64decode(identity_secret), message, "sha1")).decode()
