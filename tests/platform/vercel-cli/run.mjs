// The real Vercel CLI without an account: `node run.mjs build` and `node run.mjs dev --listen 127.0.0.1:PORT`, in a
// project's folder. The few calls that the CLI makes to Vercel are answered here, on a port of our own.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const TEAM = "team_local";
const PROJECT = "prj_local";
const [command, ...options] = process.argv.slice(2);

const user = { id: "user_local", username: "local", name: "local", email: "local@localhost", version: "northstar", defaultTeamId: TEAM };
const team = { id: TEAM, slug: "local", name: "local" };
const project = { id: PROJECT, name: "purser", accountId: TEAM, framework: null, rootDirectory: null, nodeVersion: "20.x" };
const answers = [
  [/^\/v\d+\/user$/, { user }],
  [/^(\/v\d+)?\/teams\/[^/]+$/, team],
  [/^(\/v\d+)?\/teams$/, { teams: [team], pagination: { count: 1, next: null, prev: null } }],
  [/^\/v\d+\/projects\/[^/]+\/env$/, { envs: [] }],
  [/^\/v\d+\/projects\/[^/]+$/, project],
  [/^\/v\d+\/env\/pull\//, { env: {}, buildEnv: {} }],
];

const api = createServer((request, response) => {
  const path = new URL(request.url, "http://localhost").pathname;
  const answer = answers.find(([pattern]) => pattern.test(path))?.[1];
  request.resume();
  response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(answer ?? { error: { code: "not_found", message: `nothing answers ${path} here` } }));
});
await new Promise((ready) => api.listen(0, "127.0.0.1", ready));

const login = mkdtempSync(join(tmpdir(), "purser-vercel-"));
mkdirSync(".vercel", { recursive: true });
writeFileSync(".vercel/project.json", JSON.stringify({ projectId: PROJECT, orgId: TEAM, projectName: "purser", settings: {} }));

const env = { ...process.env, VERCEL_TELEMETRY_DISABLED: "1", NO_UPDATE_NOTIFIER: "1", VERCEL_CLI_USE_NATIVE_BINARY: "0" };
for (const name of ["VERCEL_TOKEN", "VERCEL_ORG_ID", "VERCEL_PROJECT_ID"]) delete env[name];
// Its presence makes the Rust builder call plain cargo, as on Vercel's own build machines.
if (command === "build") env.VERCEL_BUILD_IMAGE = "local";
const entry = createRequire(import.meta.url).resolve("vercel/dist/vc.js");
const fixed = ["--yes", "--api", `http://127.0.0.1:${api.address().port}`, "--token", "local", "--global-config", login];
const prod = command === "build" ? ["--prod"] : [];
const cli = spawn(process.execPath, [entry, command, ...prod, ...options, ...fixed], { stdio: "inherit", env });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => cli.kill(signal));
cli.on("exit", (code) => {
  rmSync(login, { recursive: true, force: true });
  process.exit(code ?? 1);
});
