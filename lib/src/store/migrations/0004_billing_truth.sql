-- Whose budgets a call counts in: the user, or the network of somebody who had not signed in.
alter table calls add column subject text not null default '';
update calls set subject = owner;
create index calls_by_subject on calls (subject, created_ms);

-- When limiter and usage hashes had the settled cost; null until then, so that whoever comes by can tell them.
alter table calls add column booked_ms bigint;
update calls set booked_ms = settled_ms where state = 'settled';
create index calls_unbooked on calls (settled_ms) where state = 'settled' and booked_ms is null;

-- The limiter's memory, as the ledger knows it. Whoever opens an account from the ledger first writes down when that
-- memory began: a call that was admitted by an older one is then not written any more, and asks again.
create table limiter_epoch (
    only_row bigint primary key,
    epoch_ms bigint not null
);
insert into limiter_epoch (only_row, epoch_ms) values (1, 0);
