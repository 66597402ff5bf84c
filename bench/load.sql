-- The benchmark's data, by psql -v mib=<about how many MiB of COPY text> -v body=messages|words.
-- The events of a shop: jsonb with the same keys in each row, numbers, times, random tokens, and a text, which is
--   messages  one of six with order, customer and token filled in, as applications write them, and a remark;
--   words     sentences of fifty common words in random order: for every codec much more work.
\set QUIET on
select :'body' = 'words' as words \gset
create table events (
    id bigint not null, at timestamptz not null, kind text not null, account integer not null, amount numeric(14, 2),
    payload jsonb not null, body text not null, received timestamptz, processed timestamptz, tax numeric(14, 4),
    rate numeric(9, 6), latitude numeric(9, 6), longitude numeric(9, 6));
create function pg_temp.kind(n bigint) returns text language sql as $$
    select (array['order.created','order.paid','order.shipped','session.started','session.ended','email.sent'])[1 + n % 6] $$;
create function pg_temp.payload(n bigint) returns jsonb language sql as $$
    select jsonb_build_object('ip', '10.' || n % 200 || '.' || n % 251 || '.' || n % 13,
        'agent', 'Mozilla/5.0 (X11; Linux x86_64)', 'request', md5(n::text), 'status', 200 + n % 5,
        'duration_ms', n * 31 % 997, 'tags', array['a' || n % 10, 'b' || n % 7]) $$;
create function pg_temp.words(seed bigint, many integer) returns text language sql as $$
    select string_agg((array['the','backup','of','every','table','was','taken','at','night','and','restored','in','the',
        'morning','customer','order','invoice','payment','shipped','delayed','refund','address','changed','by','support',
        'agent','email','sent','password','reset','session','expired','cart','checkout','discount','applied','to','item',
        'warehouse','stock','returned','label','printed','courier','collected','signed','for','at','door','neighbour'])
        [1 + (hashint8(seed * 100 + k) & 65535) % 50], ' ')
    from generate_series(1, many) k $$;
-- 1,800 texts made once and combined: making each row's own would take minutes.
create temporary table texts as select i, pg_temp.words(i, 24) as t from generate_series(0, 1799) i;
create unique index on texts (i);
analyze texts;
\if :words
insert into events (id, at, kind, account, amount, payload, body)
select n, '2024-01-01 UTC'::timestamptz + n * interval '7 seconds',
    pg_temp.kind(n), (n * 7919::bigint) % 100000, (n * 104729::bigint % 10000000) / 100.0, pg_temp.payload(n),
    a.t || '. ' || b.t || '. ' || c.t || '. ' || d.t
from generate_series(1, :mib * 1200::bigint) g (n)
join texts a on a.i = n % 1800 join texts b on b.i = (n * 31::bigint + 3) % 1800
join texts c on c.i = (n * 17::bigint + 5) % 1800 join texts d on d.i = (n * 53::bigint + 11) % 1800;
\else
insert into events
select n, '2024-01-01 UTC'::timestamptz + n * interval '7 seconds', pg_temp.kind(n), (n * 7919::bigint) % 100000,
    (n * 104729::bigint % 10000000) / 100.0,
    pg_temp.payload(n) || jsonb_build_object('origin', 'checkout', 'route', '/shop/checkout/confirm', 'locale', 'en_GB'),
    format((array[
        'Order %1$s of customer %2$s was created; the items are reserved and the invoice follows the payment. Reference %3$s.',
        'Payment for order %1$s by customer %2$s was received in full and the invoice marked as paid. Transaction %3$s.',
        'Order %1$s for customer %2$s was handed to the courier, who will try twice. Tracking number %3$s.',
        'Customer %2$s signed in from a known device with password and code, for the %1$s. time. Session %3$s.',
        'Session %3$s of customer %2$s was ended by the customer after %1$s requests; its tokens are revoked.',
        'An e-mail was sent to customer %2$s with the template for reminders. Number %1$s, message id %3$s.'
        ])[1 + n % 6], n, (n * 7919::bigint) % 100000, md5((n * 3)::text)) || ' Remark: ' || a.t,
    '2024-01-01 UTC'::timestamptz + n * interval '7.013 seconds', '2024-01-02 UTC'::timestamptz + n * interval '7.1 seconds',
    (n * 104729::bigint % 10000000) / 526.3157, n % 997 / 1000.0, n * 7919::bigint % 180000000 / 1000000.0 - 90,
    n * 104729::bigint % 360000000 / 1000000.0 - 180
from generate_series(1, :mib * 1460::bigint) g (n) join texts a on a.i = n * 31::bigint % 1800;
\endif
alter table events add primary key (id);
create index on events (at);
create index on events (account, kind);
