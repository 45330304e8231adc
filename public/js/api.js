// The backend's routes.

import { ask } from './http.js';
import * as session from './session.js';

export async function call(path, options = {}) {
  const bearer = await session.bearer();
  try {
    return await ask(path, { ...options, bearer });
  } catch (problem) {
    // The clock of this machine may be wrong, or the session may have ended elsewhere.
    const isStale = ['token_expired', 'session_revoked'].includes(problem.code) && !session.typed.get();
    if (!isStale) throw problem;
    await session.refresh();
    return ask(path, { ...options, bearer: await session.bearer() });
  }
}

export const json = async (path, options) => (await call(path, options)).json();

const one = (id) => `/api/conversations/${encodeURIComponent(id)}`;

export const checkout = () => json('/api/billing/checkout', { method: 'POST', body: {} });
export const usage = () => json('/api/usage?days=1');
export const renameConversation = (id, title) => json(one(id), { method: 'PATCH', body: { title } });
export const deleteConversation = (id) => call(one(id), { method: 'DELETE' });
export const listConversations = (cursor) =>
  json(`/api/conversations?limit=40${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);

// The whole conversation: pages come oldest first, and what people want to see is at the end.
export async function readConversation(id, signal) {
  let page = await json(`${one(id)}?limit=200`, { signal });
  const messages = [...page.messages];
  while (page.next_cursor) {
    page = await json(`${one(id)}?limit=200&cursor=${encodeURIComponent(page.next_cursor)}`, { signal });
    messages.push(...page.messages);
  }
  return { ...page, messages };
}
