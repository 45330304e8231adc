"""Anthropic's own SDK for Python, with nothing changed but its base URL and its key."""

import json
import os
import urllib.request

import anthropic

base = os.environ["BASE_URL"] + "/api"
client = anthropic.Anthropic(base_url=base, api_key=os.environ["TOKEN"], max_retries=0)
free = anthropic.Anthropic(base_url=base, api_key=os.environ["FREE_TOKEN"], max_retries=0)


def ask(content, **more):
    request = {"model": "claude-haiku-5-5", "max_tokens": 200, "messages": [{"role": "user", "content": content}]}
    return request | more


message = client.messages.create(**ask("Hello"))
assert "stand-in" in message.content[0].text, message
assert message.usage.output_tokens > 0
print("create")

with client.messages.stream(**ask("Hello again")) as stream:
    pieces = list(stream.text_stream)
    final = stream.get_final_message()
assert len(pieces) > 3 and "".join(pieces) == final.content[0].text
print("stream")


def usage():
    """What the backend says this caller has used."""
    request = urllib.request.Request(base + "/usage", headers={"authorization": "Bearer " + os.environ["TOKEN"]})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def tokens(used):
    return used["input_tokens"], used["output_tokens"]


before = usage()
assert before["totals"]["calls"] == 2, before
assert tokens(before["totals"]["usage"]) == (
    message.usage.input_tokens + final.usage.input_tokens,
    message.usage.output_tokens + final.usage.output_tokens,
), before
print("usage")

# The hang-up is the caller's; the answer is paid for all the same.
with client.messages.stream(**ask("[[standin: deltas=40 delta_ms=20]]")) as stream:
    next(iter(stream.text_stream))
assert [limit["remaining"] for limit in usage()["limits"] if limit["policy"] == "pro-requests"] == [97]
print("hang-up")


def fails(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


fails(anthropic.NotFoundError, lambda: client.messages.create(**ask("x", model="claude-nobody")))
fails(anthropic.BadRequestError, lambda: client.messages.create(**ask("x", container="c")))
stranger = anthropic.Anthropic(base_url=base, api_key="nonsense", max_retries=0)
fails(anthropic.AuthenticationError, lambda: stranger.messages.create(**ask("x")))
overload = ask("[[standin: error=overloaded_error status=529]]")
assert fails(anthropic.InternalServerError, lambda: client.messages.create(**overload)).status_code == 529
slow_down = ask("[[standin: error=rate_limit_error status=429 retry_after=7]]")
refused = fails(anthropic.RateLimitError, lambda: client.messages.create(**slow_down))
assert refused.response.headers["retry-after"] == "7", refused.response.headers
fails(anthropic.PermissionDeniedError, lambda: free.messages.create(**ask("x", model="claude-opus-5-5")))
for _ in range(10):
    free.messages.create(**ask("x"))
refused = fails(anthropic.RateLimitError, lambda: free.messages.create(**ask("x")))
assert 3500 < int(refused.response.headers["retry-after"]) <= 3600, refused.response.headers
print("errors")
