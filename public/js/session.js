// Who is signed in. The access token lives in this page's memory only; the refresh token is in a cookie that no
// script can read, and `purser_signed_in` beside it tells whether asking for a refresh makes sense.

import { ask } from './http.js';

const TOKEN = 'purser.token';
const SESSION = '/api/auth/session';
// Refreshed a little before its time: a call takes a while to arrive.
const MARGIN_MS = 30_000;

let session = null;
let refreshing = null;

// A token or key that somebody typed in: it stays in this tab.
export const typed = {
  get: () => sessionStorage.getItem(TOKEN) ?? '',
  set: (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

export const user = () => session?.user ?? null;

function keep({ access_token: access, expires_in: seconds, user: who }) {
  session = { access, user: who, until: Date.now() + seconds * 1000 - MARGIN_MS };
}

// One refresh at a time, whoever asks; tabs that ask at once get the same next token from the server.
export function refresh() {
  refreshing ??= ask(SESSION, { method: 'PUT' })
    .then(async (response) => keep(await response.json()))
    .catch((problem) => {
      if (problem.status === 401 || problem.status === 403) session = null;
      else throw problem;
    })
    .finally(() => (refreshing = null));
  return refreshing;
}

// What a call carries: nothing for a guest.
export async function bearer() {
  if (typed.get()) return typed.get();
  const mayRefresh = session !== null || document.cookie.includes('purser_signed_in=1');
  if (mayRefresh && (session === null || Date.now() > session.until)) await refresh();
  return session?.access ?? '';
}

export async function signIn(email, password) {
  const response = await ask(SESSION, { method: 'POST', body: { email, password, cookie: true } });
  typed.set('');
  keep(await response.json());
}

export async function signUp(email, password) {
  await ask('/api/auth/account', { method: 'POST', body: { email, password } });
  await signIn(email, password);
}

export async function signOut() {
  await ask(SESSION, { method: 'DELETE', bearer: await bearer() });
  session = null;
}
