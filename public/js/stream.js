// Reads a UI message stream: server-sent events whose data is one JSON chunk each.

import { Problem } from './http.js';

export async function* chunks(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop();
      for (const event of events) {
        const data = event.split(/\r?\n/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart());
        // A comment has no data; [DONE] is no chunk.
        if (data.length > 0 && data[0] !== '[DONE]') yield JSON.parse(data.join('\n'));
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Reads an answer and tells `view` of it. Throws where it does not come to its end.
export async function readAnswer(response, view) {
  let ended = false;
  try {
    for await (const chunk of chunks(response)) {
      if (chunk.messageMetadata) view.metadata(chunk.messageMetadata);
      switch (chunk.type) {
        case 'start': view.started(chunk.messageId); break;
        case 'text-delta': view.text(chunk.delta); break;
        case 'reasoning-delta': view.thought(chunk.delta); break;
        case 'error': throw new Problem({ code: 'stream', detail: chunk.errorText });
        case 'finish': ended = true; view.finished(chunk.finishReason); break;
      }
    }
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof Problem) throw error;
    throw new Problem({ code: 'stream', detail: 'The connection broke off before the answer was complete.' });
  }
  if (!ended) throw new Problem({ code: 'stream', detail: 'The connection broke off before the answer was complete.' });
}
