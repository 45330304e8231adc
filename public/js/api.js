// Talks to the backend. Every failure becomes a Problem whose `detail` a person can use.

const TOKEN = 'purser.token';

export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? '',
  set: (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

export class Problem extends Error {
  constructor({ status = 0, code = 'offline', detail, retryAfterS = null, requestId = null }) {
    super(detail);
    Object.assign(this, { status, code, detail, retryAfterS, requestId });
  }
}

// RFC 9457 where the backend answers; a sentence of ours where something in front of it does.
async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  return new Problem({
    status: response.status,
    code: body.code ?? `http_${response.status}`,
    detail: body.detail ?? body.title ?? `The server answered ${response.status}.`,
    retryAfterS: Number.isFinite(wait) ? wait : null,
    requestId: body.request_id ?? response.headers.get('x-request-id'),
  });
}

export async function call(path, { method = 'GET', body, signal } = {}) {
  const headers = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (token.get()) headers.authorization = `Bearer ${token.get()}`;
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({ detail: 'The server cannot be reached. Check your connection and try again.' });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export const json = async (path, options) => (await call(path, options)).json();

const one = (id) => `/api/conversations/${encodeURIComponent(id)}`;

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
