// The page: one conversation, the list of them, and the message box.

import { openAccount, watchAccount } from './account.js';
import * as api from './api.js';
import { returned } from './billing.js';
import { byId } from './dom.js';
import { Answer, question } from './messages.js';
import { clearNotice, showProblem } from './notice.js';
import { markCurrent, openSidebar, showConversations, showUsage } from './sidebar.js';
import { readAnswer } from './stream.js';

const messages = byId('messages');
const scroll = byId('scroll');
const box = byId('question');
const send = byId('send');
const stop = byId('stop');

let conversationId = null;
// The running call: aborting it closes the connection, which is how the server hears of it.
let running = null;
let loading = null;
let isBlocked = false;

const actions = { open: (id) => go(id), current: () => conversationId, changed, failed: (problem) => showProblem(problem) };

function refresh() {
  showConversations(actions).catch((problem) => showProblem(problem));
  // The meter is a courtesy: a page that cannot read it still works.
  showUsage().catch(() => (byId('usage').hidden = true));
}

function setTitle(title) {
  byId('title').textContent = title || 'New conversation';
  document.title = title ? `${title} · Purser` : 'Purser';
}

function show(id, title) {
  running?.abort();
  loading?.abort();
  clearNotice();
  setBlocked(false);
  conversationId = id;
  messages.replaceChildren();
  setTitle(title);
  markCurrent(id);
  byId('welcome').hidden = id !== null;
  openSidebar(false);
}

function go(id) {
  history.pushState(null, '', id ? `/?c=${encodeURIComponent(id)}` : '/');
  return load(id);
}

async function load(id) {
  show(id, '');
  if (id === null) {
    box.focus();
    return;
  }
  loading = new AbortController();
  messages.setAttribute('aria-busy', 'true');
  try {
    const conversation = await api.readConversation(id, loading.signal);
    setTitle(conversation.title || 'Untitled');
    for (const message of conversation.messages) {
      messages.append(message.role === 'user' ? question(message.text) : Answer.stored(message, { onAgain: again }).node);
    }
    scroll.scrollTop = scroll.scrollHeight;
  } catch (problem) {
    if (problem.name === 'AbortError') return;
    if (problem.code === 'not_found') {
      history.replaceState(null, '', '/');
      show(null, '');
    }
    showProblem(problem);
  } finally {
    messages.removeAttribute('aria-busy');
  }
}

function changed(id, title) {
  if (id === conversationId) title === null ? go(null) : setTitle(title);
  refresh();
}

// Following the answer is right until the reader scrolls away from it.
let follows = true;
function follow() {
  if (follows) scroll.scrollTop = scroll.scrollHeight;
  byId('to-latest').hidden = follows;
}
scroll.addEventListener('scroll', () => {
  follows = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  byId('to-latest').hidden = follows;
});
byId('to-latest').addEventListener('click', () => {
  follows = true;
  follow();
});

function setBlocked(value) {
  isBlocked = value;
  update();
}

function update() {
  const isRunning = running !== null;
  send.hidden = isRunning;
  stop.hidden = !isRunning;
  send.disabled = isBlocked || box.value.trim() === '';
  box.style.height = 'auto';
  box.style.height = `${Math.min(box.scrollHeight, 220)}px`;
}

const say = (text) => (byId('status').textContent = text);

// Asks for an answer and shows it as it comes. Gives the problem, if there was one.
async function answer(body, view) {
  const call = (running = new AbortController());
  update();
  say('Claude is answering.');
  const isShown = () => running === call;
  try {
    const response = await api.call('/api/chat', { method: 'POST', body, signal: call.signal });
    clearNotice();
    await readAnswer(response, view);
    say('The answer is complete.');
    return null;
  } catch (error) {
    if (error.name !== 'AbortError') return error;
    view.note('You stopped this answer.');
    say('Stopped.');
    return null;
  } finally {
    adopt(view, isShown());
    view.close();
    if (isShown()) running = null;
    update();
    refresh();
  }
}

// A new conversation's id comes with the answer.
function adopt(view, isShown) {
  const id = view.known.conversation_id;
  if (!isShown || !id || conversationId === id) return;
  conversationId = id;
  history.replaceState(null, '', `/?c=${encodeURIComponent(id)}`);
}

async function submit(text) {
  follows = true;
  byId('welcome').hidden = true;
  if (conversationId === null) setTitle(text.split('\n')[0].slice(0, 80));
  const asked = question(text);
  const view = new Answer({ onGrow: follow, onAgain: again });
  messages.append(asked, view.node);
  follow();
  const body = { message: text };
  if (conversationId !== null) body.conversation_id = conversationId;
  const problem = await answer(body, view);
  if (!problem) return;
  if (view.id === null) {
    // Nothing was answered: the words go back where they came from.
    asked.remove();
    view.node.remove();
    if (box.value === '') box.value = text;
    byId('welcome').hidden = messages.childElementCount > 0;
    if (messages.childElementCount === 0) setTitle('');
  }
  refused(problem, view);
}

// Makes an answer again: it and all that followed give way.
async function again(old) {
  if (running !== null || conversationId === null) return;
  const behind = [];
  for (let node = old.node; node; node = node.nextElementSibling) behind.push(node);
  const view = new Answer({ onGrow: follow, onAgain: again });
  follows = true;
  messages.append(view.node);
  for (const node of behind) node.hidden = true;
  const body = { id: conversationId, messages: [], trigger: 'regenerate-message', messageId: old.id ?? undefined };
  const problem = await answer(body, view);
  if (view.id === null && problem) {
    view.node.remove();
    for (const node of behind) node.hidden = false;
  } else {
    for (const node of behind) node.remove();
  }
  if (problem) refused(problem, view);
}

function refused(problem, view) {
  say('');
  if (view.id !== null) {
    view.note(problem.detail ?? 'The answer could not be shown.', 'failure');
    return;
  }
  const account = { label: 'Open account', run: () => openAccount() };
  const waits = problem.retryAfterS !== null && problem.retryAfterS !== undefined;
  setBlocked(waits);
  showProblem(problem, { onReady: () => setBlocked(false), action: problem.status === 401 ? account : undefined });
}

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = box.value;
  if (text.trim() === '' || running !== null || isBlocked) return;
  box.value = '';
  update();
  submit(text);
});

box.addEventListener('input', update);
box.addEventListener('keydown', (event) => {
  // A composing input method uses Enter for itself.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId('composer').requestSubmit();
});

stop.addEventListener('click', () => running?.abort());
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
  if (document.body.classList.contains('sidebar-open')) openSidebar(false);
  else running?.abort();
});

for (const starter of document.querySelectorAll('.starters button')) {
  starter.addEventListener('click', () => {
    box.value = starter.textContent;
    byId('composer').requestSubmit();
  });
}

byId('new-conversation').addEventListener('click', () => go(null));
document.querySelector('.brand').addEventListener('click', (event) => {
  event.preventDefault();
  go(null);
});
byId('open-sidebar').addEventListener('click', () => openSidebar(true));
byId('close-sidebar').addEventListener('click', () => {
  openSidebar(false);
  byId('open-sidebar').focus();
});
byId('scrim').addEventListener('click', () => openSidebar(false));

// Enter in a dialog's field means its one submit button; the others close it by themselves.
for (const button of document.querySelectorAll('dialog button[type=button]:not([value=stay])')) {
  button.addEventListener('click', () => button.closest('dialog').close(button.value));
}

watchAccount(() => {
  go(null);
  refresh();
});

const wanted = () => new URLSearchParams(location.search).get('c');
window.addEventListener('popstate', () => load(wanted()));
load(wanted());
returned()
  .then((news) => news && openAccount(news))
  .catch((problem) => showProblem(problem))
  .finally(refresh);
