"""Anthropic's own SDK for Python, with nothing changed but its base URL and its key."""

import os

import anthropic

base = os.environ["BASE_URL"] + "/api"
client = anthropic.Anthropic(base_url=base, api_key=os.environ["TOKEN"], max_retries=0)


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
print("errors")
