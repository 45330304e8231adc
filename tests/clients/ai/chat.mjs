// useChat's own Chat class, transport and stream reader, of the major version in AI_VERSION, as a page runs them.
import assert from "node:assert/strict";

const { BASE_URL, TOKEN, AI_VERSION } = process.env;
const { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } = await import(AI_VERSION === "7" ? "ai" : `ai-${AI_VERSION}`);
const { Chat } = await import(AI_VERSION === "7" ? "@ai-sdk/react" : `ai-react-${AI_VERSION}`);
const headers = { authorization: `Bearer ${TOKEN}` };
const weather = {
  name: "weather",
  description: "The weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

function open(id, more = {}) {
  const errors = [];
  const transport = new DefaultChatTransport({ api: `${BASE_URL}/api/chat`, headers, body: { model: "claude-haiku-5-5" } });
  const chat = new Chat({ id, transport, onError: (error) => errors.push(error), ...more });
  return Object.assign(chat, { errors });
}
const text = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");
const kinds = (message) => message.parts.map((part) => part.type);
const fine = (chat) => {
  assert.deepEqual(chat.errors, []);
  assert.equal(chat.status, "ready");
  return chat.messages.at(-1);
};
const read = async (id) => {
  const answer = await fetch(`${BASE_URL}/api/conversations/${id}?format=ui`, { headers });
  assert.equal(answer.status, 200);
  return (await answer.json()).messages;
};

const chat = open(`v${AI_VERSION}`);
await chat.sendMessage({ text: "My name is Ann" });
const first = fine(chat);
assert.match(text(first), /turn 1/);
assert.ok(first.metadata.cost_nanousd > 0 && first.metadata.limits[0].limit === 100 && first.metadata.stop_reason === "end_turn");
assert.match(first.metadata.cost_usd, /^0\.\d+$/);
await chat.sendMessage({ text: "Who am I?" });
assert.match(text(fine(chat)), /turn 2; I was given 3 message/);
console.log("send");

const second = chat.messages.at(-1).id;
await chat.regenerate();
assert.match(text(fine(chat)), /turn 2; I was given 3 message/);
assert.notEqual(chat.messages.at(-1).id, second);
await chat.regenerate({ messageId: first.id });
assert.equal(chat.messages.length, 2);
assert.match(text(fine(chat)), /turn 1; I was given 1 message/);
console.log("regenerate");

await chat.sendMessage({ text: "My name is Bob", messageId: chat.messages[0].id });
assert.match(text(fine(chat)), /“My name is Bob”.*turn 1; I was given 1 message/);
assert.equal(chat.messages.length, 2);
console.log("edit");

// A page that is loaded again.
const again = open(chat.id, { messages: await read(chat.id) });
assert.deepEqual(again.messages.map((message) => [message.id, message.role, text(message)]), chat.messages.map((message) => [message.id, message.role, text(message)]));
await again.sendMessage({ text: "Still there?" });
assert.match(text(fine(again)), /turn 2; I was given 3 message/);
console.log("reload with history");

const tooled = open(`tools-${AI_VERSION}`, {
  sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  onToolCall({ toolCall }) {
    if (toolCall.toolName !== "weather") return;
    const output = { celsius: 21, city: toolCall.input.city };
    // Not awaited: the call would wait for itself.
    const add = tooled.addToolOutput ?? tooled.addToolResult;
    add.call(tooled, { tool: "weather", toolCallId: toolCall.toolCallId, output });
  },
});
const settled = async (chat) => {
  while (chat.status !== "ready" && chat.status !== "error") await new Promise((done) => setImmediate(done));
};
await tooled.sendMessage({ text: 'Weather? [[standin: tool=weather tool_input="{\\"city\\": \\"Bern\\"}"]]' }, { body: { tools: [weather] } });
await settled(tooled);
while (tooled.status === "ready" && !/celsius/.test(text(tooled.messages.at(-1)))) await new Promise((done) => setTimeout(done, 5));
await settled(tooled);
const round = fine(tooled);
assert.equal(tooled.messages.length, 2, "the answer to the results goes on in the same message");
assert.deepEqual(kinds(round), ["step-start", "text", "tool-weather", "step-start", "text"]);
const called = round.parts[2];
assert.deepEqual([called.state, called.input, called.output.celsius], ["output-available", { city: "Bern" }, 21]);
const [, kept] = await read(tooled.id);
assert.deepEqual([kept.id, kinds(kept), kept.parts[2].output], [round.id, kinds(round), called.output]);
await tooled.sendMessage({ text: "Thanks" });
assert.match(text(fine(tooled)), /I was given 5 message/);
console.log("tool round trip");

const search = { type: "web_search_20250305", name: "web_search", max_uses: 2 };
const known = open(`sources-${AI_VERSION}`);
await known.sendMessage({ text: "[[standin: web_search=1 thinking cite]]" }, { body: { tools: [search] } });
const cited = fine(known);
assert.ok(kinds(cited).includes("tool-web_search") && kinds(cited).includes("source-url"), kinds(cited));
assert.equal(cited.parts.find((part) => part.type === "tool-web_search").state, "output-available");
const thought = cited.parts.find((part) => part.type === "reasoning");
assert.ok(thought.text.length > 0 && thought.providerMetadata.anthropic.signature.length > 5);
assert.equal(cited.metadata.usage.web_search_requests, 1);
assert.ok(cited.parts.some((part) => part.type === "text" && part.providerMetadata?.anthropic?.citations?.length === 1));
console.log("sources and reasoning");

const png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
await known.sendMessage({ text: "Look", files: [{ type: "file", mediaType: "image/png", url: png, filename: "dot.png" }] });
assert.match(text(fine(known)), /“Look”/);
assert.ok((await read(known.id)).some((message) => message.parts.some((part) => part.type === "file" && part.url === png)));
console.log("files");

const stopped = open(`stop-${AI_VERSION}`);
const sending = stopped.sendMessage({ text: "[[standin: deltas=60 delta_ms=20]]" });
while (!(stopped.messages.length === 2 && text(stopped.messages[1]).length > 0)) await new Promise((done) => setTimeout(done, 5));
await stopped.stop();
await sending;
assert.ok(text(fine(stopped)).length > 0, "what came before the stop stays");
await stopped.sendMessage({ text: "Go on" });
assert.match(text(fine(stopped)), /“Go on”/);
console.log("stop");

// A page that is loaded again in the middle of an answer, and one that comes when it is over.
const whole = open(`resume-${AI_VERSION}`);
const streaming = whole.sendMessage({ text: "[[standin: deltas=60 delta_ms=60]]" });
while (!(whole.messages.length === 2 && text(whole.messages[1]).length > 0)) await new Promise((done) => setTimeout(done, 5));
const loaded = open(whole.id, { messages: await read(whole.id) });
assert.equal(loaded.messages.length, 1, "the answer is not kept yet");
await loaded.resumeStream();
await streaming;
assert.deepEqual(fine(loaded), fine(whole));
await loaded.resumeStream();
assert.deepEqual([loaded.messages.length, fine(loaded).id], [2, fine(whole).id]);
console.log("resume");

const broken = open(`error-${AI_VERSION}`);
await broken.sendMessage({ text: "[[standin: mid_error=overloaded_error]]" });
assert.equal(broken.status, "error");
assert.match(broken.error.message, /overloaded/i);
assert.ok(text(broken.messages.at(-1)).length > 0, "what came before stays");
await broken.sendMessage({ text: "x" }, { body: { model: "claude-nobody" } });
assert.equal(JSON.parse(broken.error.message).code, "model_unknown");
console.log("errors");
