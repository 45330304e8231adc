// Anthropic's own SDK, the package that SDK names, with nothing changed but its base URL and its key.
import assert from "node:assert/strict";
import { z } from "zod";

const { BASE_URL, CLAUDE_URL, TOKEN, FREE_TOKEN, SDK } = process.env;
const { default: Anthropic } = await import(SDK);
const { zodOutputFormat } = await import(`${SDK}/helpers/zod`);
const { betaZodTool } = await import(`${SDK}/helpers/beta/zod`);
// What the stand-in for Claude is to do with coming calls.
const next = (...directives) =>
  directives.reduce((before, body) => before.then(() => fetch(`${CLAUDE_URL}/_standin/next`, { method: "POST", body })), Promise.resolve());
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

// More than the plan has, and no more than the model has.
const [asked, answer] = [ask("x", { max_tokens: 100_000, stream: true }), {}];
const lowered = await client.messages.create(asked).withResponse();
for await (const event of lowered.data) answer[event.type] = event;
assert.equal(lowered.response.headers.get("x-purser-max-tokens"), "64000");
assert.ok(answer.message_stop);
console.log("max_tokens above the plan's");

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

const runnable = (name, answer) =>
  betaZodTool({ name, description: name, inputSchema: z.object({ city: z.string() }), run: ({ city }) => `${answer} in ${city}` });
await next('tool=weather tool_input="{\\"city\\": \\"Bern\\"}"', 'tool=time tool_input="{\\"city\\": \\"Bern\\"}"', "");
const run = client.beta.messages.toolRunner({ ...ask("Weather and time?"), tools: [runnable("weather", "sunny"), runnable("time", "noon")] });
const ran = await run;
assert.match(ran.content[0].text, /noon in Bern/);
assert.equal(run.params.messages.filter((message) => message.role === "user").length, 3);
console.log("tool runner");

const Person = z.object({ name: z.string(), age: z.number() });
const parsed = await client.messages.parse({
  ...ask('[[standin: text="{\\"name\\":\\"Ann\\",\\"age\\":7}"]]'),
  output_config: { format: zodOutputFormat(Person) },
});
assert.deepEqual(parsed.parsed_output, { name: "Ann", age: 7 });
console.log("structured output");

const data = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const picture = { type: "image", source: { type: "base64", media_type: "image/png", data } };
const seen = await client.messages.create(ask([picture, { type: "text", text: "What is this?" }]));
assert.equal(seen.stop_reason, "end_turn");
console.log("image");

const { max_tokens, ...prompt } = ask("How long am I?");
assert.ok((await client.messages.countTokens(prompt)).input_tokens > 0);
const models = [];
for await (const model of client.models.list({ limit: 2 })) models.push(model);
assert.ok(models.length > 4 && models.every((model) => model.display_name.startsWith("Claude ") && model.price.input_usd_per_mtok));
assert.equal((await client.models.retrieve("claude-haiku-4-5")).id, "claude-haiku-4-5-20251001");
console.log("count_tokens and models");

const aborted = client.messages.stream(ask("[[standin: deltas=40 delta_ms=20]]"));
await new Promise((done) => aborted.once("text", done));
aborted.abort();
await assert.rejects(aborted.done(), Anthropic.APIUserAbortError);
console.log("abort");

// Three times, because the backend itself tries three times before it passes an overload on.
const patient = new Anthropic({ baseURL: `${BASE_URL}/api`, apiKey: TOKEN, maxRetries: 2 });
const overload = "error=overloaded_error status=529";
await next(overload, overload, overload, "");
assert.equal((await patient.messages.create(ask("x"))).stop_reason, "end_turn");
await next("error=rate_limit_error status=429 retry_after=5", "");
const from = Date.now();
assert.equal((await patient.messages.create(ask("x"))).stop_reason, "end_turn");
assert.ok(Date.now() - from > 4_500, "the SDK waits as long as Claude said");
console.log("retries");

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
const refusal = (words) => client.messages.create(ask(`[[standin: ${words}]]`));
await fails(refusal("error=invalid_request_error status=400 error_code=image_dimensions_too_large"), Anthropic.BadRequestError, (error) =>
  assert.equal(error.error.error.details.error_code, "image_dimensions_too_large"),
);
await fails(refusal("error=conflict_error status=409"), Anthropic.ConflictError);
await fails(client.messages.create(ask("[[standin: latency_ms=2000]]"), { timeout: 200 }), Anthropic.APIConnectionTimeoutError);
await fails(client.messages.create(ask("[[standin: error=overloaded_error status=529]]")), Anthropic.InternalServerError, (error) =>
  assert.equal(error.status, 529),
);
for (let call = 0; call < 10; call += 1) await free.messages.create(ask("x"));
// With an hour to wait, the SDK is told not to wait by itself.
const eager = new Anthropic({ baseURL: `${BASE_URL}/api`, apiKey: FREE_TOKEN, maxRetries: 2 });
await fails(eager.messages.create(ask("x")), Anthropic.RateLimitError, (error) => {
  assert.ok(Number(error.headers.get("retry-after")) > 3500);
  assert.equal(error.headers.get("anthropic-ratelimit-requests-remaining"), "0");
});
await fails(client.messages.create(ask("x".repeat(4_600_000))), Anthropic.APIError, (error) => assert.equal(error.status, 413));
await fails(client.messages.create(ask("[[standin: error=api_error status=500]]")), Anthropic.InternalServerError);
const cut = client.messages.stream(ask("[[standin: cut_after=6]]"));
await fails(cut.finalMessage(), Anthropic.APIError);
console.log("errors");
