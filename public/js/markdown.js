// The Markdown that Claude writes, as DOM nodes: never as markup. While an answer streams in, blocks that have
// not changed are left alone, so that a selection in them stays and long answers cost little.

import { copyButton, el } from './dom.js';

const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+#.-]*)/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ROW = /^\s*\|.*\|\s*$/;

// Splits a text into blocks, each `{kind, lines}`.
function split(text) {
  const blocks = [];
  let fence = null;
  for (const line of text.split('\n')) {
    const last = blocks[blocks.length - 1];
    const opening = line.match(FENCE);
    if (fence) {
      if (opening && opening[1].startsWith(fence) && opening[2] === '') fence = null;
      else last.lines.push(line);
      continue;
    }
    if (opening) {
      fence = opening[1];
      blocks.push({ kind: 'code', language: opening[2], lines: [] });
    } else if (line.trim() === '') {
      if (last) last.blank = true;
    } else if (RULE.test(line)) {
      blocks.push({ kind: 'rule', lines: [line] });
    } else if (HEADING.test(line)) {
      blocks.push({ kind: 'heading', lines: [line] });
    } else {
      const kind = ITEM.test(line) ? 'list' : ROW.test(line) ? 'table' : /^ {0,3}>/.test(line) ? 'quote' : 'text';
      const goesOn = last?.kind === kind && (!last.blank || kind === 'list');
      const isInList = last?.kind === 'list' && kind === 'text' && (!last.blank || /^\s{2,}/.test(line));
      if (goesOn || isInList) {
        last.lines.push(line);
        last.blank = false;
      } else {
        blocks.push({ kind, lines: [line] });
      }
    }
  }
  return blocks;
}

const INLINE = /(`+)([^`]|[^`].*?[^`])\1(?!`)|\*\*(.+?)\*\*|(?<![\w*])\*([^\s*](?:.*?[^\s*])?)\*(?![\w*])|(?<!\w)_([^\s_](?:.*?[^\s_])?)_(?!\w)|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>"'`)\]]+[^\s<>"'`)\].,;:!?])/gs;

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, , code, bold, italic, other, label, href, bare] = match;
    nodes.push(text.slice(end, match.index));
    end = match.index + all.length;
    if (code !== undefined) nodes.push(el('code', {}, code));
    else if (bold !== undefined) nodes.push(el('strong', {}, ...inline(bold)));
    else if (italic !== undefined || other !== undefined) nodes.push(el('em', {}, ...inline(italic ?? other)));
    else nodes.push(el('a', { href: href ?? bare, target: '_blank', rel: 'noopener noreferrer' }, label ?? bare));
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== '');
}

function code(block) {
  const text = block.lines.join('\n');
  const bar = el('div', { class: 'bar' }, el('span', {}, block.language || 'text'), copyButton(() => text));
  return el('div', { class: 'code' }, bar, el('pre', { tabindex: '0' }, el('code', {}, text)));
}

function list(lines) {
  const first = lines[0].match(ITEM);
  const ordered = /\d/.test(first[2]);
  const items = [];
  for (const line of lines) {
    const item = line.match(ITEM);
    if (item && item[1].length <= first[1].length + 1) items.push([item[3], []]);
    else items[items.length - 1][1].push(line);
  }
  const children = items.map(([text, under]) => {
    const at = under.findIndex((line) => ITEM.test(line));
    const more = (at < 0 ? under : under.slice(0, at)).map((line) => `\n${line.trim()}`);
    const nested = at < 0 ? null : list(under.slice(at));
    return el('li', {}, ...inline(text + more.join('')), nested);
  });
  const start = ordered ? Number.parseInt(first[2], 10) : 1;
  return el(ordered ? 'ol' : 'ul', { start: ordered && start !== 1 ? String(start) : undefined }, ...children);
}

function table(block) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, '|'));
  const [head, rule, ...rows] = block.lines;
  if (!rule || !/^[\s|:-]+$/.test(rule)) return paragraph(block);
  const row = (line, tag) => el('tr', {}, ...cells(line).map((cell) => el(tag, {}, ...inline(cell))));
  return el('div', { class: 'table', tabindex: '0' },
    el('table', {}, el('thead', {}, row(head, 'th')), el('tbody', {}, ...rows.map((line) => row(line, 'td')))));
}

const paragraph = (block) => el('p', {}, ...inline(block.lines.join('\n')));

function draw(block) {
  switch (block.kind) {
    case 'code': return code(block);
    case 'list': return list(block.lines);
    case 'table': return table(block);
    case 'rule': return el('hr');
    case 'quote': {
      const quote = el('blockquote');
      render(quote, block.lines.map((line) => line.replace(/^ {0,3}> ?/, '')).join('\n'));
      return quote;
    }
    case 'heading': {
      const [, marks, text] = block.lines[0].match(HEADING);
      // The page has h1 and h2; an answer's headings go below them.
      return el(`h${Math.min(marks.length + 2, 6)}`, {}, ...inline(text));
    }
    default: return paragraph(block);
  }
}

// Makes `target` show `text`, reusing what it shows already.
export function render(target, text) {
  const before = target.drawn ?? [];
  const now = split(text).map((block) => ({ block, key: `${block.kind} ${block.language ?? ''}\n${block.lines.join('\n')}` }));
  let same = 0;
  while (same < before.length && same < now.length && before[same] === now[same].key) same += 1;
  while (target.childNodes.length > same) target.lastChild.remove();
  target.append(...now.slice(same).map(({ block }) => draw(block)));
  target.drawn = now.map(({ key }) => key);
}
