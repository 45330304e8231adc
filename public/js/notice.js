// The line above the message box: what went wrong, and when to try again.

import { byId, el } from './dom.js';
import { duration } from './receipt.js';

const box = byId('notice');
let timer = null;

export function clearNotice() {
  clearInterval(timer);
  timer = null;
  box.replaceChildren();
}

// Shows a problem. Where the server said when to come back, counts down to it and calls `onReady` then.
export function showProblem(problem, { onReady = () => {}, action } = {}) {
  clearNotice();
  const text = el('p', {}, problem.detail ?? 'Something went wrong on this page. Reload it.');
  box.append(text);
  if (problem.requestId && problem.status >= 500) text.append(el('small', {}, ` Request ${problem.requestId}`));
  if (action) box.append(el('button', { type: 'button', class: 'quiet', onclick: action.run }, action.label));
  if (problem.retryAfterS === null || problem.retryAfterS === undefined) return;
  const until = Date.now() + problem.retryAfterS * 1000;
  // Spoken once, not every second.
  const clock = el('span', { class: 'clock', 'aria-hidden': 'true' });
  box.append(clock);
  const tick = () => {
    const left = (until - Date.now()) / 1000;
    clock.textContent = left > 0 ? `Again in ${duration(left)}` : '';
    if (left > 0) return;
    clearNotice();
    onReady();
  };
  timer = setInterval(tick, 500);
  tick();
}
