// What the official client sees of the double. Started with the environment of a deployment:
// UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN; PREFIX keeps its keys apart.
import assert from "node:assert/strict";
import { Redis } from "@upstash/redis";

const prefix = process.env.PREFIX;
const key = (name) => `${prefix}${name}`;
const redis = Redis.fromEnv({ enableTelemetry: false, retry: false });
const plain = Redis.fromEnv({ enableTelemetry: false, retry: false, responseEncoding: false });

async function strings() {
  const values = ["plain", "grüße, 世界 🦀", 'quotes " and \\ and \n', "\u0000\u0001\u007f", "T0s="];
  for (const client of [redis, plain]) {
    for (const value of values) {
      assert.equal(await client.set(key("s"), value), "OK");
      assert.equal(await client.get(key("s")), value);
    }
    assert.equal(await client.get(key("none")), null);
    assert.equal(await client.set(key("ex"), "v", { ex: 100 }), "OK");
    assert.ok((await client.ttl(key("ex"))) > 90);
  }
  await redis.hset(key("h"), { a: 1, b: "zwei" });
  assert.deepEqual(await redis.hgetall(key("h")), { a: 1, b: "zwei" });
}

async function pipelines() {
  const pipe = redis.pipeline();
  pipe.set(key("p"), 1);
  pipe.incr(key("p"));
  pipe.get(key("p"));
  assert.deepEqual(await pipe.exec(), ["OK", 2, 2]);

  const half = redis.pipeline();
  half.set(key("text"), "text");
  half.incr(key("text"));
  half.set(key("after"), "runs");
  const results = await half.exec({ keepErrors: true });
  assert.match(results[1].error, /not an integer/);
  assert.equal(await redis.get(key("after")), "runs");
}

async function transactions() {
  const multi = redis.multi();
  multi.set(key("m"), "x");
  multi.append(key("m"), "y");
  assert.deepEqual(await multi.exec(), ["OK", 2]);

  // A command that fails when it runs fails alone.
  const half = redis.multi();
  half.set(key("m"), "text");
  half.incr(key("m"));
  half.set(key("after"), "in the transaction");
  await assert.rejects(half.exec(), /not an integer/);
  assert.equal(await redis.get(key("after")), "in the transaction");
}

async function scripts() {
  const script = `return { KEYS[1], ARGV[1], 7, '${prefix}' }`;
  const sha = "0".repeat(40);
  await assert.rejects(redis.evalsha(sha, [], []), /NOSCRIPT/);
  assert.deepEqual(await redis.eval(script, [key("k")], ["a"]), [key("k"), "a", 7, prefix]);
  const made = redis.createScript(script);
  assert.deepEqual(await made.exec([key("k")], ["b"]), [key("k"), "b", 7, prefix]);
  assert.deepEqual(await redis.evalsha(made.sha1, [key("k")], ["c"]), [key("k"), "c", 7, prefix]);
}

async function errors() {
  await redis.set(key("string"), "s");
  await assert.rejects(redis.lpush(key("string"), "x"), /WRONGTYPE/);
  await assert.rejects(redis.eval("return redis.error_reply('MINE no')", [], []), /MINE no/);
  const stranger = new Redis({
    url: process.env.UPSTASH_REDIS_REST_URL, token: "wrong", enableTelemetry: false, retry: false,
  });
  await assert.rejects(stranger.get(key("s")), /WRONGPASS/);
}

async function rawHttp() {
  const base = process.env.UPSTASH_REDIS_REST_URL;
  const authorization = `Bearer ${process.env.UPSTASH_REDIS_REST_TOKEN}`;
  const call = async (path, init = {}) => {
    const response = await fetch(base + path, { ...init, headers: { authorization, ...init.headers } });
    return [response.status, response.status === 405 ? null : await response.json(), response.headers];
  };
  const at = encodeURIComponent(key("path style"));
  assert.deepEqual((await call(`/set/${at}/v/EX/100`)).slice(0, 2), [200, { result: "OK" }]);
  assert.deepEqual((await call(`/get/${at}`)).slice(0, 2), [200, { result: "v" }]);
  assert.deepEqual((await call(`/set/${at}?EX=50`, { method: "POST", body: "the body" }))[0], 200);
  const [, got, headers] = await call("/", { method: "POST", body: JSON.stringify(["GET", key("path style")]) });
  assert.deepEqual(got, { result: "the body" });
  assert.ok(headers.get("upstash-sync-token"));
  assert.ok((await call(`/ttl/${at}`))[1].result <= 50);
  // A command that cannot even be queued discards the whole transaction.
  const discarded = JSON.stringify([["SET", key("never"), "x"], ["GET"]]);
  const [status, json] = await call("/multi-exec", { method: "POST", body: discarded });
  assert.equal(status, 400);
  assert.match(json.error, /EXECABORT/);
  assert.equal(await redis.get(key("never")), null);
  assert.equal((await call("/", { method: "DELETE" }))[0], 405);
  assert.equal((await call("/", { method: "POST", body: "{" }))[0], 400);
  assert.equal((await call("/nonsense"))[0], 400);
  assert.equal((await fetch(`${base}/get/${at}?_token=${process.env.UPSTASH_REDIS_REST_TOKEN}`)).status, 200);
  assert.equal((await fetch(`${base}/get/${at}`)).status, 401);
}

for (const check of [strings, pipelines, transactions, scripts, errors, rawHttp]) {
  await check();
  console.log(`ok ${check.name}`);
}
