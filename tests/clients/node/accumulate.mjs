// What Anthropic's SDK makes of recorded answers, byte streams cut at random: one JSON object by file.
import fs from "node:fs";
import path from "node:path";
import Anthropic from "@anthropic-ai/sdk";

const { RECORDED } = process.env;
const messages = {};
for (const file of fs.readdirSync(RECORDED).filter((file) => file.endsWith(".sse"))) {
  const bytes = fs.readFileSync(path.join(RECORDED, file));
  const body = new ReadableStream({
    start(controller) {
      for (let from = 0; from < bytes.length; ) {
        const to = Math.min(bytes.length, from + 1 + Math.floor(Math.random() * 40));
        controller.enqueue(bytes.subarray(from, to));
        from = to;
      }
      controller.close();
    },
  });
  const answer = () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  const client = new Anthropic({ apiKey: "none", maxRetries: 0, fetch: async () => answer() });
  const stream = client.messages.stream({ model: "claude-opus-5-5", max_tokens: 9, messages: [{ role: "user", content: "x" }] });
  let message;
  stream.on("streamEvent", (_, snapshot) => (message = snapshot));
  await stream.finalMessage().catch(() => {});
  messages[file] = message;
}
console.log(JSON.stringify(messages));
