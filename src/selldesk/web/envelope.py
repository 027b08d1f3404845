"""The envelope of every answer (readings R1)."""

from typing import Any

import msgspec

from selldesk.kernel.refusals import Refusal

_ENCODER = msgspec.json.Encoder()


def success(data: Any) -> bytes:
    return _ENCODER.encode({"success": True, "data": data})


def failure(refusal: Refusal) -> bytes:
    body: dict[str, Any] = {"success": False, "error": refusal.text, "code": refusal.code}
    if refusal.details is not None:
        body["details"] = refusal.details
    return _ENCODER.encode(body)
