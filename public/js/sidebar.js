// The list of conversations and what is left of the plan.

import * as api from './api.js';
import { byId, el, icon } from './dom.js';
import { dollars, duration, tightest } from './receipt.js';

const list = byId('conversations');
const more = byId('more-conversations');
const PENCIL = 'M4 20l1-4.5L16.5 4a2 2 0 0 1 3 3L8 18.5z';
const BIN = 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13';
let cursor = null;

const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });

function entry(conversation, { open, current, changed, failed }) {
  const title = conversation.title || 'Untitled';
  const link = el('a', { href: `/?c=${encodeURIComponent(conversation.id)}`, 'aria-current': conversation.id === current() ? 'page' : undefined }, el('span', {}, title), el('time', {}, day.format(conversation.updated_ms)));
  link.addEventListener('click', (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    open(conversation.id);
  });
  const act = (work) => async () => {
    try { await work(); } catch (problem) { failed(problem); }
  };
  const rename = act(async () => {
    const wanted = await ask({ title: 'Rename this conversation', yes: 'Rename', value: title });
    if (!wanted || wanted === title) return;
    await api.renameConversation(conversation.id, wanted);
    changed(conversation.id, wanted);
  });
  const remove = act(async () => {
    const text = `“${title}” and its messages will be gone for good.`;
    if ((await ask({ title: 'Delete this conversation?', text, yes: 'Delete' })) === null) return;
    await api.deleteConversation(conversation.id);
    changed(conversation.id, null);
  });
  const button = (label, path, onclick) => el('button', { type: 'button', class: 'icon', 'aria-label': `${label} ${title}`, title: label, onclick }, icon(path));
  return el('li', {}, link, button('Rename', PENCIL, rename), button('Delete', BIN, remove));
}

// Answers may come in another order than they were asked for: the one that was asked for last is shown.
const asked = { conversations: 0, usage: 0 };
async function latest(what, question) {
  const turn = (asked[what] += 1);
  const answer = await question();
  return turn === asked[what] ? answer : null;
}

export async function showConversations(actions) {
  const page = await latest('conversations', () => api.listConversations());
  if (!page) return;
  list.replaceChildren(...page.conversations.map((conversation) => entry(conversation, actions)));
  byId('no-conversations').hidden = page.conversations.length > 0;
  continueFrom(page.next_cursor, actions);
}

function continueFrom(next, actions) {
  cursor = next;
  more.hidden = !cursor;
  more.onclick = async () => {
    try {
      const page = await api.listConversations(cursor);
      list.append(...page.conversations.map((conversation) => entry(conversation, actions)));
      continueFrom(page.next_cursor, actions);
    } catch (problem) {
      actions.failed(problem);
    }
  };
}

// Marks the open conversation.
export function markCurrent(id) {
  for (const link of list.querySelectorAll('a')) {
    const isCurrent = id !== null && link.getAttribute('href') === `/?c=${encodeURIComponent(id)}`;
    if (isCurrent) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

export async function showUsage() {
  const used = await latest('usage', api.usage);
  if (!used) return;
  const { plan, limits, totals } = used;
  byId('plan').textContent = plan;
  const left = tightest(limits);
  byId('usage').hidden = !left;
  if (!left) return;
  byId('usage-left').textContent = `${left.remaining} of ${left.limit} left`;
  byId('usage-reset').textContent = left.reset_s ? `more in ${duration(left.reset_s)}` : '';
  const meter = byId('usage-meter');
  meter.firstElementChild.style.width = `${(100 * left.remaining) / Math.max(left.limit, 1)}%`;
  meter.classList.toggle('low', left.remaining <= left.limit / 4);
  const answers = totals.calls === 1 ? '1 answer' : `${totals.calls} answers`;
  byId('usage-total').textContent = `${answers} today, ${dollars(totals.cost_usd)}`;
}

// Asks in a dialog. Gives the text of the field (or "" where none is asked for), or null where the user declined.
export function ask({ title, text = '', yes, value }) {
  const dialog = byId('ask');
  const input = byId('ask-input');
  byId('ask-title').textContent = title;
  byId('ask-text').textContent = text;
  byId('ask-text').hidden = !text;
  byId('ask-yes').textContent = yes;
  byId('ask-label').hidden = input.hidden = value === undefined;
  input.value = value ?? '';
  dialog.returnValue = '';
  dialog.showModal();
  if (value !== undefined) input.select();
  return new Promise((resolve) => {
    const done = () => resolve(dialog.returnValue === 'yes' ? input.value.trim() : null);
    dialog.addEventListener('close', done, { once: true });
  });
}

// On narrow screens the list lies over the page.
export function openSidebar(isOpen) {
  document.body.classList.toggle('sidebar-open', isOpen);
  byId('open-sidebar').setAttribute('aria-expanded', String(isOpen));
  byId('scrim').hidden = !isOpen;
  if (isOpen) byId('close-sidebar').focus();
}
