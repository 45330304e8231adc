// Walks from sign-up to subscription: Checkout, back to the page, the billing portal.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const { BASE_URL, STRIPE_URL, CHROMIUM } = process.env;
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
const page = await browser.newPage();
const faults = [];
page.on('pageerror', (error) => faults.push(error.message));
page.on('console', (line) => line.type() === 'error' && faults.push(line.text()));

// Stripe's pages are the double's: its Checkout pays at once and sends the browser back.
await page.route('https://checkout.stripe.com/**', (route) => {
  const location = STRIPE_URL + new URL(route.request().url()).pathname;
  return route.fulfill({ status: 302, headers: { location } });
});
await page.route('https://billing.stripe.com/**', (route) =>
  route.fulfill({ contentType: 'text/html', body: '<h1>The billing portal</h1>' }),
);
const plan = (name) => page.locator('#plan', { hasText: name }).waitFor();

await page.goto(BASE_URL);
await plan('anonymous');
await page.click('#open-account');
assert.equal(await page.locator('#upgrade').count(), 0, 'a guest has nothing to upgrade');
await page.fill('#email', 'ann@example.com');
await page.fill('#password', 'correct horse battery staple');
await page.click('text=Sign up');
await plan('free');

// Leaving Checkout changes nothing.
await page.goto(`${BASE_URL}/?checkout=cancelled`);
await page.locator('#plan-news', { hasText: 'Nothing was bought.' }).waitFor();
assert.equal(page.url(), `${BASE_URL}/`);
await page.locator('#who-plan', { hasText: 'free' }).waitFor();

await page.locator('#upgrade', { hasText: 'Upgrade to Pro' }).click();
await page.locator('#plan-news', { hasText: 'Thank you.' }).waitFor();
assert.equal(page.url(), `${BASE_URL}/`);
await page.locator('#who-plan', { hasText: 'pro' }).waitFor();
await plan('pro');

await page.locator('#upgrade', { hasText: 'Manage the subscription' }).click();
await page.locator('h1', { hasText: 'The billing portal' }).waitFor();
assert.match(page.url(), /^https:\/\/billing\.stripe\.com\//);
assert.deepEqual(faults, []);
await browser.close();
