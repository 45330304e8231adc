// What a frontend's developer writes from the contract alone: sign up, sign in, chat, upgrade, my account, sign out.
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];
type Account = components["schemas"]["Account"];
type Chunk = components["schemas"]["UiMessageChunk"];

const api = createClient<paths>({ baseUrl: process.env.BASE_URL });
const email = "ann@example.com";
const password = "correct horse battery staple";

function must<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

function same<T>(actual: T, wanted: T): void {
  if (actual !== wanted) throw new Error(`${JSON.stringify(actual)}, not ${JSON.stringify(wanted)}`);
}

// Sign up. A password that is too weak is a problem whose code is one of the contract's.
const weak = await api.POST("/api/auth/account", { body: { email, password: "password" } });
const problem: Problem = weak.error!;
const code: components["schemas"]["ErrorCode"] = problem.code;
same(code, "weak_password");
same(problem.pointer, "/password");
const accepted = must(await api.POST("/api/auth/account", { body: { email, password } }));
same("status" in accepted ? accepted.status : accepted.key, "accepted");

// Sign in, and send the token from then on.
let session = must(await api.POST("/api/auth/session", { body: { email, password } }));
const bearer: Middleware = {
  onRequest({ request }) {
    request.headers.set("authorization", `Bearer ${session.access_token}`);
    return request;
  },
};
api.use(bearer);
session = must(await api.PUT("/api/auth/session", { body: { refresh_token: session.refresh_token ?? null } }));

// Chat, as JSON and as a stream.
const answer = must(
  await api.POST("/api/chat", { body: { message: "Hello" }, params: { header: { Accept: "application/json" } } }),
);
same(typeof (typeof answer === "string" ? "" : answer.message.text), "string");
const streamed = must(await api.POST("/api/chat", { body: { message: "Hello" }, parseAs: "text" }));
const lines = String(streamed).split("\n").filter((line) => line.startsWith("data: {"));
const chunks = lines.map((line): Chunk => JSON.parse(line.slice("data: ".length)));
let text = "";
for (const chunk of chunks) if (chunk.type === "text-delta") text += chunk.delta;
const last = chunks[chunks.length - 1];
if (text === "" || last?.type !== "finish") throw new Error(JSON.stringify(chunks));
same(last.messageMetadata.usage_source, "provider");

// Upgrade: where to pay.
const door = must(await api.POST("/api/billing/checkout", { body: { return_path: "/account" } }));
same(door.kind, "checkout");
same(new URL(door.url).protocol, "https:");

// My account, with what it used.
const account = must(await api.GET("/api/auth/account")) as Account;
same(account.email, email);
same(account.plan, "free");
same(account.sessions.filter((one) => one.is_current).length, 1);
const usage = must(await api.GET("/api/usage", { params: { query: { days: 1 } } }));
same(usage.totals.calls, 2);
same(usage.limits[0]?.remaining, 8);

// Sign out: from the next request on.
same((await api.DELETE("/api/auth/session", {})).response.status, 204);
const after = await api.GET("/api/usage", {});
same(after.error?.code, "session_revoked");
