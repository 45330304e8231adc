// The AI SDK with its own Anthropic provider, pointed at the backend instead of at Claude.
import assert from "node:assert/strict";
import { z } from "zod";

const { BASE_URL, TOKEN, AI_VERSION } = process.env;
const ai = await import(AI_VERSION === "7" ? "ai" : `ai-${AI_VERSION}`);
const { generateText, streamText, tool, APICallError } = ai;
const { createAnthropic } = await import(AI_VERSION === "7" ? "@ai-sdk/anthropic" : `ai-anthropic-${AI_VERSION}`);
const claude = createAnthropic({ baseURL: `${BASE_URL}/api/v1`, apiKey: TOKEN })("claude-haiku-5-5");
const enough = (ai.isStepCount ?? ai.stepCountIs)(3);

const whole = await generateText({ model: claude, prompt: "Hello", maxOutputTokens: 200 });
assert.match(whole.text, /stand-in/);
assert.equal(whole.finishReason, "stop");
assert.ok(whole.usage.inputTokens > 0 && whole.usage.outputTokens > 0);
console.log("generateText");

// Without a number of its own the provider asks for all that the model has: more than any plan.
const unbounded = await generateText({ model: claude, prompt: "Hello" });
assert.match(unbounded.text, /stand-in/);
assert.equal(unbounded.response.headers["x-purser-max-tokens"], "64000");
assert.match(await streamText({ model: claude, prompt: "Hello" }).text, /stand-in/);
console.log("no maxOutputTokens");

const stream = streamText({ model: claude, prompt: "Hello again", maxOutputTokens: 200 });
let pieces = 0;
for await (const piece of stream.textStream) pieces += piece.length > 0 ? 1 : 0;
assert.ok(pieces > 3 && /stand-in/.test(await stream.text));
assert.ok((await stream.usage).outputTokens > 0);
console.log("streamText");

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => ({ city, celsius: 21 }),
});
const prompt = 'Weather? [[standin: tool=weather tool_input="{\\"city\\": \\"Bern\\"}"]]';
for (const run of [generateText, streamText]) {
  const done = run({ model: claude, prompt, tools: { weather }, stopWhen: enough, maxOutputTokens: 400 });
  const answer = run === streamText ? done : await done;
  if (run === streamText) await done.consumeStream();
  assert.match(await answer.text, /celsius/);
  assert.equal((await answer.steps).length, 2);
}
console.log("tools");

const refused = await generateText({ model: createAnthropic({ baseURL: `${BASE_URL}/api/v1`, apiKey: "nonsense" })("claude-haiku-5-5"), prompt: "x", maxRetries: 0 }).catch((error) => error);
assert.ok(APICallError.isInstance(refused) && refused.statusCode === 401, String(refused));
assert.equal(refused.data.error.type, "authentication_error");
console.log("errors");
