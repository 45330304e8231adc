// What an answer used and cost, and what is left.

import { el } from './dom.js';

const number = new Intl.NumberFormat();

// "$0.00412": the ledger's own decimal text, never a rounded float.
export const dollars = (text) => `$${text}`;

export function duration(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const two = (part) => String(part).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

// The request window with least left. Slots and budgets are not counted in requests.
export function tightest(limits = []) {
  const windows = limits.filter(({ policy }) => !/in-flight|budget/.test(policy));
  return windows.reduce((least, one) => (least && least.remaining <= one.remaining ? least : one), null);
}

function tokens(usage = {}) {
  const cached = (usage.cache_read_tokens ?? 0) + (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  const prompt = (usage.input_tokens ?? 0) + cached;
  return `${number.format(prompt)} in · ${number.format(usage.output_tokens ?? 0)} out`;
}

export function receipt(metadata) {
  const row = el('dl', { class: 'receipt' });
  const entry = (name, value, title) => row.append(el('div', { title }, el('dt', {}, name), el('dd', {}, value)));
  entry('Model', metadata.model);
  if (metadata.usage) entry('Tokens', tokens(metadata.usage), 'Prompt and answer, as Claude counted them');
  if (metadata.cost_usd !== undefined) {
    const exact = metadata.usage_source === 'provider';
    const about = exact ? 'Exact, from the usage that Claude reported' : 'Claude did not report the final usage: counted here';
    entry('Cost', exact ? dollars(metadata.cost_usd) : `≈ ${dollars(metadata.cost_usd)}`, about);
  }
  const left = tightest(metadata.limits);
  if (left) entry('Left', `${number.format(left.remaining)} of ${number.format(left.limit)}`, `Policy ${left.policy}`);
  return row;
}
