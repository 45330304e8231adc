"""Anthropic's own SDK for Python, whichever is installed, with nothing changed but its base URL and its key."""

import json
import os
import time as clock
import urllib.request

import anthropic
import pydantic

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


@anthropic.beta_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return "sunny in " + city


@anthropic.beta_tool
def time(city: str) -> str:
    """The time in a city."""
    return "noon in " + city


def following(*directives):
    """What the stand-in for Claude is to do with coming calls."""
    for words in directives:
        url = os.environ["CLAUDE_URL"] + "/_standin/next"
        urllib.request.urlopen(urllib.request.Request(url, words.encode(), method="POST")).close()


following('tool=weather tool_input="{\\"city\\": \\"Bern\\"}"', 'tool=time tool_input="{\\"city\\": \\"Bern\\"}"', "")
ran = client.beta.messages.tool_runner(tools=[weather, time], **ask("Weather and time?")).until_done()
assert "noon in Bern" in ran.content[0].text, ran
print("tool runner")


class Person(pydantic.BaseModel):
    name: str
    age: int


said = '[[standin: text="{\\"name\\":\\"Ann\\",\\"age\\":7}"]]'
assert client.messages.parse(output_format=Person, **ask(said)).parsed_output == Person(name="Ann", age=7)
print("structured output")

data = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
seen = client.messages.create(**ask([picture, {"type": "text", "text": "What is this?"}]))
assert seen.stop_reason == "end_turn"
print("image")

prompt = {name: value for name, value in ask("How long am I?").items() if name != "max_tokens"}
assert client.messages.count_tokens(**prompt).input_tokens > 0
models = list(client.models.list(limit=2))
assert len(models) > 4 and all(model.display_name.startswith("Claude ") for model in models), models
assert client.models.retrieve("claude-haiku-4-5").id == "claude-haiku-4-5-20251001"
print("count_tokens and models")

# Three times, because the backend itself tries three times before it passes an overload on.
patient = client.with_options(max_retries=2)
overload = "error=overloaded_error status=529"
following(overload, overload, overload, "")
assert patient.messages.create(**ask("x")).stop_reason == "end_turn"
following("error=rate_limit_error status=429 retry_after=5", "")
begun = clock.monotonic()
assert patient.messages.create(**ask("x")).stop_reason == "end_turn"
assert clock.monotonic() - begun > 4.5, "the SDK waits as long as Claude said"
print("retries")


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
conflict = ask("[[standin: error=conflict_error status=409]]")
fails(anthropic.ConflictError, lambda: client.messages.create(**conflict))
assert fails(anthropic.APIStatusError, lambda: client.messages.create(**ask("x" * 4_600_000))).status_code == 413
broken = ask("[[standin: error=api_error status=500]]")
fails(anthropic.InternalServerError, lambda: client.messages.create(**broken))
slow = ask("[[standin: latency_ms=2000]]")
fails(anthropic.APITimeoutError, lambda: client.with_options(timeout=0.2).messages.create(**slow))


def cut_short():
    with client.messages.stream(**ask("[[standin: cut_after=6]]")) as stream:
        stream.get_final_message()


fails(anthropic.APIError, cut_short)
overload = ask("[[standin: error=overloaded_error status=529]]")
# Major versions have different classes for it.
assert fails(anthropic.APIStatusError, lambda: client.messages.create(**overload)).status_code == 529
slow_down = ask("[[standin: error=rate_limit_error status=429 retry_after=7]]")
refused = fails(anthropic.RateLimitError, lambda: client.messages.create(**slow_down))
assert refused.response.headers["retry-after"] == "7", refused.response.headers
fails(anthropic.PermissionDeniedError, lambda: free.messages.create(**ask("x", model="claude-opus-5-5")))
for _ in range(10):
    free.messages.create(**ask("x"))
# With an hour to wait, the SDK is told not to wait by itself.
eager = free.with_options(max_retries=2)
refused = fails(anthropic.RateLimitError, lambda: eager.messages.create(**ask("x")))
assert 3500 < int(refused.response.headers["retry-after"]) <= 3600, refused.response.headers
print("errors")
