"""Secrets at rest: sealed with a key derived from SELLDESK_SECRET_KEY (AES-256-GCM, a fresh nonce each time)."""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class CannotOpen(Exception):
    """The box was sealed with another key, or is damaged."""


class SecretBox:
    def __init__(self, secret_key: bytes) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"selldesk secrets at rest\0" + secret_key).digest())

    def seal(self, content: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, content, None)

    def open(self, sealed: bytes) -> bytes:
        """Raises CannotOpen."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], None)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("a stored secret can't be opened with this SELLDESK_SECRET_KEY") from error
