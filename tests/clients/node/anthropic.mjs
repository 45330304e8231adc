// Anthropic's own SDK, with nothing changed but its base URL and its key.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const { BASE_URL, TOKEN, FREE_TOKEN } = process.env;
const client = new Anthropic({ baseURL: `${BASE_URL}/api`, apiKey: TOKEN, maxRetries: 0 });
const ask = (content, more = {}) => ({ model: "claude-haiku-5-5", max_tokens: 200, messages: [{ role: "user", content }], ...more });

const message = await client.messages.create(ask("Hello"));
assert.equal(message.content[0].type, "text");
assert.match(message.content[0].text, /stand-in/);
assert.ok(message._request_id, "the request id is ours");
console.log("create");

let deltas = 0;
const stream = client.messages.stream(ask("Hello again")).on("text", () => (deltas += 1));
const final = await stream.finalMessage();
assert.ok(deltas > 3 && final.stop_reason === "end_turn" && final.usage.output_tokens > 0);
console.log("stream");

const counted = await fetch(`${BASE_URL}/api/usage`, { headers: { authorization: `Bearer ${TOKEN}` } }).then((answer) => answer.json());
assert.equal(counted.totals.calls, 2);
for (const tokens of ["input_tokens", "output_tokens"]) {
  assert.equal(counted.totals.usage[tokens], message.usage[tokens] + final.usage[tokens], tokens);
}
console.log("usage");

const tools = [{ name: "weather", description: "The weather", input_schema: { type: "object", properties: {} } }];
const called = await client.messages.create(ask("[[standin: tool=weather]]", { tools }));
assert.equal(called.stop_reason, "tool_use");
const use = called.content.find((block) => block.type === "tool_use");
const answered = await client.messages.create({
  ...ask("x", { tools }),
  messages: [
    { role: "user", content: "How is the weather?" },
    { role: "assistant", content: called.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: use.id, content: "sunny" }] },
  ],
});
assert.equal(answered.stop_reason, "end_turn");
console.log("tools");

const fails = (promise, type, check = () => {}) =>
  promise.then(
    () => assert.fail(`expected ${type.name}`),
    (error) => {
      assert.ok(error instanceof type, `${error.constructor.name} is not ${type.name}: ${error.message}`);
      check(error);
    },
  );
await fails(client.messages.create(ask("x", { model: "claude-nobody" })), Anthropic.NotFoundError);
await fails(client.messages.create(ask("x", { container: "c" })), Anthropic.BadRequestError);
await fails(new Anthropic({ baseURL: `${BASE_URL}/api`, apiKey: "nonsense", maxRetries: 0 }).messages.create(ask("x")), Anthropic.AuthenticationError);
const free = new Anthropic({ baseURL: `${BASE_URL}/api`, apiKey: FREE_TOKEN, maxRetries: 0 });
await fails(free.messages.create(ask("x", { model: "claude-opus-5-5" })), Anthropic.PermissionDeniedError);
await fails(client.messages.create(ask("[[standin: error=overloaded_error status=529]]")), Anthropic.InternalServerError, (error) =>
  assert.equal(error.status, 529),
);
for (let call = 0; call < 10; call += 1) await free.messages.create(ask("x"));
await fails(free.messages.create(ask("x")), Anthropic.RateLimitError, (error) =>
  assert.ok(Number(error.headers.get("retry-after")) > 3500),
);
console.log("errors");
