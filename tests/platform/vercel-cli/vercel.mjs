// Runs the real Vercel CLI in the current folder, without an account and without Vercel.
//
//   node vercel.mjs build          as Vercel's build machines do it
//   node vercel.mjs dev PORT       the development server, on 127.0.0.1
//
// The CLI asks Vercel's API who the user is and, for `dev`, about the team, the project and its variables. A small API
// on 127.0.0.1 answers that; everything else is Vercel's own code. `dev` ends when its standard input does.

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { homedir, tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';

const TEAM = { id: 'team_local', slug: 'local', name: 'local' };
const USER = { id: 'user_local', username: 'local', name: 'local', email: 'local@localhost', version: 'northstar' };
const PROJECT = { id: 'prj_local', name: basename(process.cwd()), accountId: TEAM.id, framework: null };

/** What Vercel's API would say; `undefined` for what no CLI command of ours has asked so far. */
function answer(method, path) {
  if (method !== 'GET') return undefined;
  const [, kind, id, rest] = /^(?:\/v\d+)?\/(\w+)(?:\/(\w+))?(\/.*)?$/.exec(path) ?? [];
  if (kind === 'user') return { user: { ...USER, defaultTeamId: TEAM.id } };
  if (kind === 'teams') return id ? TEAM : { teams: [TEAM], pagination: { count: 1, next: null, prev: null } };
  if (kind === 'env' && id === 'pull') return { env: {}, buildEnv: {} };
  if (kind === 'projects' && !rest) return { ...PROJECT, rootDirectory: null, nodeVersion: '20.x' };
  return undefined;
}

function startApi() {
  const server = createServer((request, response) => {
    const body = answer(request.method, request.url.split('?')[0]);
    if (!body) console.error(`vercel.mjs: the API was asked ${request.method} ${request.url}: 404`);
    request.resume();
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { error: { code: 'not_found', message: 'not emulated' } }));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function environment(command) {
  const env = { ...process.env, VERCEL_TELEMETRY_DISABLED: '1', NO_UPDATE_NOTIFIER: '1' };
  for (const name of ['VERCEL_TOKEN', 'VERCEL_ORG_ID', 'VERCEL_PROJECT_ID', 'VERCEL_TEAM_ID']) delete env[name];
  env.VERCEL_CLI_USE_NATIVE_BINARY = '0';
  // Makes the Rust builder call `cargo build --release`, and not `cargo zigbuild`, which is for other machines.
  if (command === 'build') env.VERCEL_BUILD_IMAGE = 'local';
  env.NO_PROXY = env.no_proxy = ['127.0.0.1,localhost', env.NO_PROXY ?? env.no_proxy].filter(Boolean).join(',');
  return env;
}

function argumentsOf(command, port) {
  if (command === 'build') return ['build', '--prod', '--yes'];
  // The address too: with a port alone, it listens on every interface.
  if (command === 'dev' && /^\d+$/.test(port)) return ['dev', '--yes', '--listen', `127.0.0.1:${port}`];
  throw new Error('usage: vercel.mjs build | dev PORT');
}

const [command, port] = process.argv.slice(2);
const cliArguments = argumentsOf(command, port);
const PATH = [join(homedir(), '.cargo', 'bin'), process.env.PATH].join(delimiter);
if (spawnSync('rustup', ['--version'], { env: { ...process.env, PATH } }).status !== 0) {
  throw new Error('rustup is not installed, and the Rust builder would download it');
}

const api = await startApi();
const config = mkdtempSync(join(tmpdir(), 'vercel-'));
process.on('exit', () => rmSync(config, { recursive: true, force: true }));
mkdirSync('.vercel', { recursive: true });
const link = { projectId: PROJECT.id, orgId: TEAM.id, projectName: PROJECT.name, settings: {} };
writeFileSync('.vercel/project.json', JSON.stringify(link));

const cli = join(import.meta.dirname, 'node_modules', 'vercel', 'dist', 'vc.js');
const account = ['--api', `http://127.0.0.1:${api.address().port}`, '--token', 'local', '--global-config', config];
const child = spawn(process.execPath, [cli, ...cliArguments, ...account], {
  env: environment(command),
  stdio: ['ignore', 'inherit', 'inherit'],
});
const stop = () => child.kill('SIGTERM');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
if (command === 'dev') process.stdin.on('end', stop).resume();
child.on('exit', (code, signal) => process.exit(signal ? 1 : code));
