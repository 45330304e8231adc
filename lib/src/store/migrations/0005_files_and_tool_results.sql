-- The message that a client sees can be several here: an answer that calls tools, their results, and the answer to
-- those. The later ones name the first.
alter table messages add column answer_id text;
-- Most prompt tokens of a message whose bytes do not bound them: one with images or documents.
alter table messages add column tokens_bound bigint;
