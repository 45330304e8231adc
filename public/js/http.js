// Asks the backend. Every failure becomes a Problem whose `detail` a person can use.

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

export async function ask(path, { method = 'GET', body, signal, bearer } = {}) {
  const headers = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (bearer) headers.authorization = `Bearer ${bearer}`;
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
