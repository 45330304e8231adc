// What Stripe's official client sees of the double. STRIPE_URL is where it listens; CUSTOMER has 120 subscriptions, the
// oldest of them in arrears; EVENT and SIGNATURE are a delivery of the double, signed with WEBHOOK_SECRET. Prints a
// signature of its own for EVENT.
import assert from "node:assert/strict";
import Stripe from "stripe";

const { STRIPE_URL, STRIPE_KEY, CUSTOMER, PRICE, EVENT, SIGNATURE, WEBHOOK_SECRET } = process.env;
const { hostname: host, port } = new URL(STRIPE_URL);
const client = (key) => new Stripe(key, { host, port, protocol: "http", maxNetworkRetries: 0, telemetry: false });
const stripe = client(STRIPE_KEY);
const refused = (promise, type, fields) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.type, type, error);
    for (const [name, value] of Object.entries(fields ?? {})) assert.equal(error[name], value, `${name}: ${error}`);
    return true;
  });

// Customers, and what a key is worth.
const wish = { email: "ann@example.com", metadata: { user_id: "ann" } };
const ann = await stripe.customers.create(wish, { idempotencyKey: "key-1" });
const again = await stripe.customers.create(wish, { idempotencyKey: "key-1" });
assert.deepEqual([again.id, again.lastResponse.idempotencyKey], [ann.id, "key-1"]);
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
assert.equal(again.lastResponse.requestId, "req_double");
await refused(stripe.customers.create({ email: "bob@example.com" }, { idempotencyKey: "key-1" }), "StripeIdempotencyError");
await refused(stripe.customers.create({ email: "nobody" }), "StripeInvalidRequestError", { param: "email" });
await refused(stripe.customers.create({ nonsense: "x" }), "StripeInvalidRequestError", { code: "parameter_unknown" });
await refused(client("sk_test_wrong").customers.retrieve(ann.id), "StripeAuthenticationError", { statusCode: 401 });

// Checkout.
const session = await stripe.checkout.sessions.create({
  mode: "subscription",
  customer: ann.id,
  client_reference_id: "ann",
  line_items: [{ price: PRICE, quantity: 1 }],
  metadata: { user_id: "ann" },
  subscription_data: { metadata: { user_id: "ann" } },
  success_url: "https://app.example/?checkout=done",
  cancel_url: "https://app.example/?checkout=cancelled",
  allow_promotion_codes: true,
});
assert.deepEqual([session.status, new URL(session.url).host], ["open", "checkout.stripe.com"]);
assert.equal((await stripe.checkout.sessions.retrieve(session.id)).client_reference_id, "ann");
assert.equal((await stripe.checkout.sessions.expire(session.id)).status, "expired");
await refused(stripe.checkout.sessions.expire(session.id), "StripeInvalidRequestError", { statusCode: 400 });
await refused(stripe.checkout.sessions.retrieve("cs_none"), "StripeInvalidRequestError", { statusCode: 404 });
await refused(stripe.checkout.sessions.create({ mode: "subscription" }), "StripeInvalidRequestError", { code: "parameter_missing" });
const portal = await stripe.billingPortal.sessions.create({ customer: ann.id, return_url: "https://app.example/" });
assert.equal(new URL(portal.url).host, "billing.stripe.com");

// Lists, page by page.
const seen = [];
for await (const one of stripe.subscriptions.list({ customer: CUSTOMER, limit: 50 })) seen.push(one);
assert.equal(new Set(seen.map((one) => one.id)).size, 120);
const late = seen.at(-1);
assert.deepEqual([late.status, late.items.data[0].price.id], ["past_due", PRICE]);
assert.ok(late.items.data[0].current_period_end > late.items.data[0].current_period_start);
const open = await stripe.invoices.list({ subscription: late.id, status: "open", limit: 100 });
assert.equal(open.data[0].parent.subscription_details.subscription, late.id);

// Farewell: what remains of a customer is answered, and has no subscriptions.
assert.equal((await stripe.customers.del(ann.id)).deleted, true);
assert.equal((await stripe.customers.retrieve(ann.id)).deleted, true);
await refused(stripe.customers.del(ann.id), "StripeInvalidRequestError", { statusCode: 404 });
const missing = { code: "resource_missing", param: "customer" };
await refused(stripe.subscriptions.list({ customer: ann.id }), "StripeInvalidRequestError", missing);

// Events, both ways.
const event = stripe.webhooks.constructEvent(EVENT, SIGNATURE, WEBHOOK_SECRET);
assert.deepEqual([event.object, typeof event.id, event.data.object.object], ["event", "string", "subscription"]);
process.stdout.write(stripe.webhooks.generateTestHeaderString({ payload: EVENT, secret: WEBHOOK_SECRET }));
