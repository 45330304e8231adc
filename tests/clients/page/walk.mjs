// Walks through the page as a person does: asks as a guest, signs up, comes back, signs out and in again.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const context = await browser.newContext();
const page = await context.newPage();
const faults = [];
page.on('pageerror', (error) => faults.push(error.message));
page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));

const [EMAIL, PASSWORD] = ['ann@example.com', 'correct horse battery staple'];
const plan = (name) => page.locator('#plan', { hasText: name }).waitFor();
const listed = () => page.locator('#conversations li').allInnerTexts();
async function say(words) {
  await page.fill('#question', words);
  await page.press('#question', 'Enter');
  await page.locator('#status', { hasText: 'The answer is complete.' }).waitFor({ state: 'attached' });
  await page.locator('#messages', { hasText: `You said: “${words}”` }).waitFor();
}

// The first list of conversations comes late: it must not take the place of a newer one.
let letGo;
const held = new Promise((resolve) => (letGo = resolve));
const lists = '**/api/conversations?*';
await page.route(lists, async (route) => {
  const response = await route.fetch();
  await held;
  await route.fulfill({ response });
}, { times: 1 });
await page.goto(process.env.BASE_URL);
await say('asked as a guest');
await page.locator('#conversations', { hasText: 'asked as a guest' }).waitFor();
const late = page.waitForResponse(lists);
letGo();
await (await late).finished();
await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
assert.equal((await listed()).length, 1);
// An answer is carried over once it is in the ledger.
await page.waitForFunction(async () => (await (await fetch('/api/usage?days=1')).json()).totals.calls === 1);
await plan('anonymous');

await page.click('#open-account');
await page.fill('#email', EMAIL);
await page.fill('#password', 'password123');
await page.click('text=Sign up');
await page.locator('#account-problem', { hasText: 'easy to guess' }).waitFor();
assert.deepEqual(faults.splice(0).length, 1, 'the refusal, and nothing else');
await page.fill('#password', PASSWORD);
await page.click('text=Sign up');
await plan('free');
await page.locator('#conversations', { hasText: 'asked as a guest' }).waitFor();
await say('asked with an account');

// The access token was in the page's memory; the cookie brings the next one.
await page.reload();
await plan('free');
await page.locator('#conversations', { hasText: 'asked with an account' }).waitFor();
const cookies = await context.cookies();
const refresh = cookies.find((cookie) => cookie.name === '__Host-purser_refresh');
assert.ok(refresh.httpOnly && refresh.secure && refresh.sameSite === 'Strict');
const visible = await page.evaluate(() => document.cookie + JSON.stringify({ ...sessionStorage }));
assert.ok(!visible.includes('rt_') && !visible.includes('eyJ'), visible);

// Two tabs that refresh at once stay signed in, both of them.
const other = await context.newPage();
await Promise.all([page.reload(), other.goto(process.env.BASE_URL)]);
await plan('free');
await other.locator('#plan', { hasText: 'free' }).waitFor();
await other.close();

await page.click('#open-account');
await page.locator('#who', { hasText: EMAIL }).waitFor();
await page.click('#sign-out');
await plan('anonymous');
assert.deepEqual(await listed(), []);

await page.click('#open-account');
await page.fill('#email', EMAIL);
await page.fill('#password', PASSWORD);
await page.press('#password', 'Enter');
await plan('free');
await page.locator('#conversations', { hasText: 'asked with an account' }).waitFor();
assert.equal((await listed()).length, 2);
assert.deepEqual(faults, []);
await browser.close();
