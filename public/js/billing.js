// The plan: to Stripe and back again.

import * as api from './api.js';
import { byId, el } from './dom.js';
import * as session from './session.js';

const problemLine = byId('account-problem');

async function leave(button) {
  button.disabled = true;
  problemLine.hidden = true;
  try {
    location.assign((await api.checkout()).url);
  } catch (problem) {
    problemLine.textContent = problem.detail ?? 'Something went wrong on this page. Reload it.';
    problemLine.hidden = false;
    button.disabled = false;
  }
}

// What somebody who is signed in can do about the plan.
export function planActions() {
  const who = session.user();
  const label = who?.plan === 'free' ? 'Upgrade to Pro' : 'Manage the subscription';
  const button = el('button', { type: 'button', class: 'primary', id: 'upgrade', value: 'stay' }, label);
  button.addEventListener('click', () => leave(button));
  byId('plan-actions').replaceChildren(...(who ? [button] : []));
}

// Back from Checkout. The backend reads the subscription itself when it is asked, so nothing waits for an event.
export async function returned() {
  const query = new URLSearchParams(location.search);
  const outcome = query.get('checkout');
  if (outcome === null) return null;
  query.delete('checkout');
  history.replaceState(null, '', query.size > 0 ? `/?${query}` : '/');
  await session.bearer();
  if (outcome !== 'done') return 'Nothing was bought.';
  const { kind } = await api.checkout();
  await session.refresh();
  return kind === 'portal' ? 'Thank you. Your new plan holds from now on.' : 'The payment is not through yet. Your plan changes as soon as it is.';
}
