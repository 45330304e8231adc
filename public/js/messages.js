// The messages on the page.

import { copyButton, el } from './dom.js';
import { render } from './markdown.js';
import { receipt } from './receipt.js';

export function question(text) {
  return el('li', { class: 'user' }, el('h2', { class: 'unseen' }, 'You'), el('div', { class: 'bubble' }, text));
}

// Claude's message: grows while it streams, and ends with its receipt.
export class Answer {
  constructor({ onGrow = () => {}, onAgain } = {}) {
    this.id = null;
    this.said = '';
    this.known = {};
    this.onGrow = onGrow;
    this.onAgain = onAgain;
    this.thinking = el('p');
    this.details = el('details', { class: 'thinking', hidden: true }, el('summary', {}, 'Thoughts'), this.thinking);
    this.body = el('div', { class: 'text' });
    this.foot = el('footer', { hidden: true });
    this.node = el('li', { class: 'assistant waiting' }, el('h2', { class: 'unseen' }, 'Claude'), this.details, this.body, this.foot);
  }

  started(id) { this.id = id; }
  metadata(values) { Object.assign(this.known, values); }

  text(delta) {
    this.said += delta;
    this.grow();
  }

  // Text blocks are one text (citations split sentences); only what comes between sets a paragraph.
  thought(delta) {
    if (this.said !== '' && !this.said.endsWith('\n\n')) this.said += '\n\n';
    this.details.hidden = false;
    this.thinking.textContent += delta;
    this.grow();
  }

  finished(reason) {
    const why = {
      length: 'The answer reached its longest permitted length.',
      'content-filter': 'Claude declined to go on.',
      other: 'Claude ended here.',
    }[reason];
    if (why) this.note(why);
  }

  // Draws once per frame, however many deltas came.
  grow() {
    this.node.classList.toggle('waiting', this.said === '');
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      render(this.body, this.said);
      this.onGrow();
    });
  }

  note(text, kind = 'note') {
    this.body.after(el('p', { class: kind }, text));
  }

  // No more will come.
  close() {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.frame = null;
    this.said = this.said.trimEnd();
    this.node.classList.remove('waiting');
    render(this.body, this.said);
    const actions = el('div', { class: 'actions' }, this.said ? copyButton(() => this.said) : null);
    if (this.onAgain) actions.append(el('button', { type: 'button', class: 'quiet again', onclick: () => this.onAgain(this) }, 'Answer again'));
    this.foot.replaceChildren(this.known.model ? receipt(this.known) : '', actions);
    this.foot.hidden = false;
    this.onGrow();
  }

  static stored(message, options) {
    const answer = new Answer(options);
    answer.id = message.id;
    answer.said = message.text;
    const thoughts = (message.content ?? []).filter(({ type, thinking }) => type === 'thinking' && thinking);
    answer.thinking.textContent = thoughts.map(({ thinking }) => thinking).join('\n\n');
    answer.details.hidden = thoughts.length === 0;
    answer.close();
    return answer;
  }
}
