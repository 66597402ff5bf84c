-- The benchmark's data, by psql -v mib=<about how many MiB of COPY text>. One row of events is about 1 kB.
-- Text of few words, numbers and json with recurring keys: zstd at level 3 makes about one seventh of it, as of
-- many a real application's tables.
\set QUIET on
create table events (
    id bigint not null, at timestamptz not null, kind text not null, account integer not null, amount numeric(14, 2),
    payload jsonb not null, body text not null);
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
insert into events
select n, '2024-01-01 UTC'::timestamptz + n * interval '7 seconds',
    (array['order.created','order.paid','order.shipped','session.started','session.ended','email.sent'])[1 + n % 6],
    (n * 7919::bigint) % 100000, (n * 104729::bigint % 10000000) / 100.0,
    jsonb_build_object('ip', '10.' || n % 200 || '.' || n % 251 || '.' || n % 13, 'agent', 'Mozilla/5.0 (X11; Linux x86_64)',
        'request', md5(n::text), 'status', 200 + n % 5, 'duration_ms', n * 31 % 997, 'tags', array['a' || n % 10, 'b' || n % 7]),
    a.t || '. ' || b.t || '. ' || c.t || '. ' || d.t
from generate_series(1, :mib * 1200) g (n)
join texts a on a.i = n % 1800 join texts b on b.i = (n * 31::bigint + 3) % 1800
join texts c on c.i = (n * 17::bigint + 5) % 1800 join texts d on d.i = (n * 53::bigint + 11) % 1800;
alter table events add primary key (id);
create index on events (at);
create index on events (account, kind);
