// useChat of the major version in AI_VERSION in a real Chromium: page.jsx, and the component of the README in SNIPPET.
import assert from "node:assert/strict";
import http from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const { BASE_URL, TOKEN, AI_VERSION, SNIPPET, CHROMIUM } = process.env;
const old = AI_VERSION !== "7";

async function bundle(component) {
  const contents = `
    import { createRoot } from "react-dom/client";
    import { Chat } from ${JSON.stringify(component)};
    const { id, token, history } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    const read = () => fetch("/api/conversations/" + id + "?format=ui", { headers: { authorization: "Bearer " + token } });
    const messages = history ? (await (await read()).json()).messages : [];
    createRoot(document.body).render(<Chat id={id} token={token} history={messages} />);`;
  const alias = old ? { ai: `ai-${AI_VERSION}`, "@ai-sdk/react": `ai-react-${AI_VERSION}` } : {};
  const made = await build({
    stdin: { contents, resolveDir: process.cwd(), loader: "jsx" },
    bundle: true, write: false, alias, format: "esm", jsx: "automatic", logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return made.outputFiles[0].text;
}

// The page and the backend under one origin, as a deployment has them.
const scripts = { "/page.js": await bundle("./page.jsx"), "/snippet.js": await bundle(SNIPPET) };
const server = http.createServer((request, response) => {
  if (request.url in scripts) return response.setHeader("content-type", "text/javascript").end(scripts[request.url]);
  if (!request.url.startsWith("/api/")) {
    return response.setHeader("content-type", "text/html").end(`<!doctype html><script type="module" src="${request.url}.js"></script>`);
  }
  const headers = { ...request.headers, host: new URL(BASE_URL).host };
  delete headers.origin;
  const onward = http.request(new URL(request.url, BASE_URL), { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  response.on("close", () => onward.destroy());
  onward.on("error", () => response.destroy());
  request.pipe(onward);
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });

async function open(path, id, history = "") {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  await page.goto(`${origin}${path}#id=${id}&token=${TOKEN}&history=${history}`);
  await page.waitForSelector("input");
  return page;
}
const messages = (page) => page.locator("p").allTextContents();
const status = (page, wanted) => page.waitForSelector(`output[data-status=${wanted}]`, { state: "attached" });
async function send(page, text) {
  await page.fill("input", text);
  await page.click("button[name=send]");
}
async function answer(page, text, count) {
  await send(page, text);
  await page.waitForFunction((count) => document.querySelectorAll("p").length === count, count);
  await page.waitForSelector(`p:nth-of-type(${count})[data-cost]`);
  await status(page, "ready");
  return (await messages(page)).at(-1);
}

const id = `browser-${AI_VERSION}`;
const page = await open("/page", id);
assert.match(await answer(page, "My name is Ann", 2), /turn 1; I was given 1 message/);
assert.match(await answer(page, "Who am I?", 4), /turn 2; I was given 3 message/);
console.log("send");

await page.click("button[name=again]");
await status(page, "ready");
await page.waitForSelector("p:nth-of-type(4)[data-cost]");
assert.match((await messages(page))[3], /turn 2; I was given 3 message/);
console.log("regenerate");

await page.click("button[name=edit]");
await page.waitForFunction(() => document.querySelectorAll("p").length === 2 && /“Edited”.*message/.test(document.body.textContent));
await status(page, "ready");
assert.match((await messages(page))[1], /“Edited”.*turn 1; I was given 1 message/);
console.log("edit");

const again = await open("/page", id, "1");
assert.deepEqual(await messages(again), await messages(page));
assert.match(await answer(again, "Still there?", 4), /turn 2; I was given 3 message/);
console.log("reload with history");

const tooled = await open("/page", `${id}-tools`);
await send(tooled, "Where am I? [[standin: tool=place]]");
await tooled.click("button[name=allow]");
await tooled.waitForFunction(() => /The tool answered: Bern/.test(document.body.textContent));
await status(tooled, "ready");
assert.equal((await messages(tooled)).length, 2);
console.log("tool round trip");

const slow = await open("/page", `${id}-stop`);
await send(slow, "[[standin: deltas=60 delta_ms=20]]");
await slow.waitForFunction(() => document.querySelectorAll("p")[1]?.textContent.length > 5);
assert.equal(await slow.locator("p:nth-of-type(2)[data-cost]").count(), 0, "it streams: the end is not there yet");
await slow.click("button[name=stop]");
await status(slow, "ready");
const kept = (await messages(slow))[1];
assert.ok(kept.length > 5);
await answer(slow, "Go on", 4);
assert.equal((await messages(slow))[1], kept);
console.log("stop");

const broken = await open("/page", `${id}-error`);
await send(broken, "[[standin: mid_error=overloaded_error@9]]");
await status(broken, "error");
assert.match(await broken.textContent("output"), /overloaded/i);
assert.ok((await messages(broken))[1].length > 5, "what came before stays");
console.log("error");

const simple = await open("/snippet", `${id}-readme`);
await simple.fill("input", "Hello");
await simple.click("text=Send");
await simple.waitForFunction(() => /stand-in[^]*\$0\.0/.test(document.body.textContent));
console.log("readme");
await browser.close();
server.close();
server.closeAllConnections();
