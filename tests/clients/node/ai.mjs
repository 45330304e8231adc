// The AI SDK's own transport and stream reader, as useChat runs them.
import assert from "node:assert/strict";
import { DefaultChatTransport, readUIMessageStream } from "ai";

const { BASE_URL, TOKEN } = process.env;
const transport = new DefaultChatTransport({ api: `${BASE_URL}/api/chat`, headers: { authorization: `Bearer ${TOKEN}` } });
const user = (id, text) => ({ id, role: "user", parts: [{ type: "text", text }] });

async function send(options) {
  const stream = await transport.sendMessages({ chatId: "ai-sdk", abortSignal: undefined, trigger: "submit-message", ...options });
  let last, states = 0, failure;
  for await (const message of readUIMessageStream({ stream, onError: (error) => (failure = error), terminateOnError: false })) {
    last = structuredClone(message);
    states += 1;
  }
  return { last, states, failure };
}
const text = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");

const first = await send({ messages: [user("u1", "My name is Ann")] });
assert.ok(first.states > 5, "text arrives in pieces");
assert.match(text(first.last), /turn 1/);
assert.ok(first.last.metadata.cost_nanousd > 0 && first.last.metadata.limits[0].limit === 100);
assert.match(first.last.metadata.cost_usd, /^0\.\d+$/);
console.log("submit");

const second = await send({ messages: [user("u1", "My name is Ann"), first.last, user("u2", "Who am I?")] });
assert.match(text(second.last), /turn 2; I was given 3 message/);
console.log("second turn");

const again = await send({ trigger: "regenerate-message", messageId: second.last.id, messages: [user("u1", "My name is Ann"), first.last, user("u2", "Who am I?")] });
assert.match(text(again.last), /turn 2; I was given 3 message/);
assert.notEqual(again.last.id, second.last.id);
console.log("regenerate");

const edited = await send({ messageId: "u1", messages: [user("u1", "My name is Bob")] });
assert.match(text(edited.last), /“My name is Bob”.*turn 1; I was given 1 message/);
console.log("edit");

const thought = await send({ messages: [user("u3", "[[standin: thinking]]")] });
assert.ok(thought.last.parts.some((part) => part.type === "reasoning" && part.text.length > 0));
console.log("reasoning");

const broken = await send({ messages: [user("u4", "[[standin: mid_error=overloaded_error]]")] });
assert.match(String(broken.failure), /overloaded/i);
assert.ok(text(broken.last).length > 0, "what came before stays");
console.log("error part");

await assert.rejects(send({ messages: [user("u5", " ")] }), /invalid_body/);
console.log("problem");
