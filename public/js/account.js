// The account's dialog: sign up, in and out, or use a token.

import { planActions } from './billing.js';
import { byId } from './dom.js';
import * as session from './session.js';

const dialog = byId('account');
const form = byId('credentials');
const problemLine = byId('account-problem');

function fill() {
  const who = session.user();
  form.hidden = who !== null;
  byId('signed-in').hidden = who === null;
  byId('by-token').hidden = who !== null;
  byId('by-token').open = session.typed.get() !== '';
  byId('forget-token').hidden = session.typed.get() === '';
  byId('token').value = session.typed.get();
  byId('who').textContent = who?.email ?? '';
  byId('who-plan').textContent = who?.plan ?? '';
  planActions();
  tell(null);
}

function tell(text) {
  problemLine.hidden = !text;
  problemLine.textContent = text ?? '';
}

// Opens the dialog, with news of the plan where there are any.
export function openAccount(news = null) {
  fill();
  byId('plan-news').hidden = news === null;
  byId('plan-news').textContent = news ?? '';
  dialog.returnValue = '';
  dialog.showModal();
}

// Runs work with the dialog's buttons out of reach, and says what went wrong in the dialog.
async function busy(work) {
  const buttons = dialog.querySelectorAll('button');
  for (const button of buttons) button.disabled = true;
  tell(null);
  try {
    await work();
    dialog.close('changed');
  } catch (problem) {
    tell(problem.detail ?? 'Something went wrong on this page. Reload it.');
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

// Calls `changed` whenever somebody else is signed in than before.
export function watchAccount(changed) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const isNew = event.submitter?.value === 'up';
    const [email, password] = [byId('email').value, byId('password').value];
    busy(async () => {
      await (isNew ? session.signUp(email, password) : session.signIn(email, password));
      byId('password').value = '';
    });
  });
  byId('sign-out').addEventListener('click', () => busy(() => session.signOut()));
  byId('open-account').addEventListener('click', () => openAccount());
  dialog.addEventListener('close', () => {
    if (!['changed', 'use', 'forget'].includes(dialog.returnValue)) return;
    const isTyped = dialog.returnValue === 'use';
    if (dialog.returnValue !== 'changed') session.typed.set(isTyped ? byId('token').value.trim().replace(/^bearer\s+/i, '') : '');
    changed();
  });
}
