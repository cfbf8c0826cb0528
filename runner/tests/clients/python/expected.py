"""What every client sends and must get back, whatever provider is behind: see `mock/conversation.py`."""

import base64
import itertools
import os
import time

BASE, KEY = os.environ["LLMIO_BASE"], os.environ["LLMIO_KEY"]
WRONG_KEY = "sk-llmio-" + "0" * 43

SYSTEM, PROMPT = "Be brief.", "say hello"
TEXT = f"I heard: {PROMPT} and was told: {SYSTEM}"
WEATHER = "What is the weather in Paris and in Tokyo?"
CITIES = ["Paris", "Tokyo"]
RESULTS = {"Paris": "22 C and sunny", "Tokyo": "15 C and rain"}
TOOLS_TEXT = "The tools said: 22 C and sunny | 15 C and rain"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGE_TEXT = f"I see image/png of {len(PNG)} bytes"
THOUGHT = "Let me think about it."
SHORT, CUT_TEXT = 16, "This answer is too"
# Tokens in, of these from the cache, and out.
USAGE = (20, 8, 7)


addresses = itertools.count(1)


def elsewhere():
    """A header that makes the gateway see another address: it throttles one that tries wrong keys."""
    return {"x-forwarded-for": f"10.0.0.{next(addresses)}"}


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, not {want!r}")


def contains(text, piece):
    if piece not in text:
        raise AssertionError(f"{piece!r} is not in {text!r}")


def others(model):
    """The models of the other providers."""
    return [f"via-{name}" for name in os.environ["PROVIDERS"].split() if f"via-{name}" != model]


def breaks(chunks, wanted):
    """The stream fails with this class of the SDK after it has begun, and says why."""
    pieces = 0
    try:
        for _ in chunks:
            pieces += 1
    except wanted as error:
        contains(str(error), "Mock failure in a stream")
        same(pieces > 0, True)
    else:
        raise AssertionError("the stream did not fail")


def fails(call, wanted, status, says=None):
    """The call fails with this class of the SDK and this status, before a client would have given up."""
    begun = time.monotonic()
    try:
        call()
    except wanted as error:
        same(getattr(error, "status_code", None) or getattr(error, "code", None), status)
        contains(str(error), says or "")
    else:
        raise AssertionError("it did not fail")
    if (took := time.monotonic() - begun) > 5:
        raise AssertionError(f"it took {took:.0f} s to fail")
