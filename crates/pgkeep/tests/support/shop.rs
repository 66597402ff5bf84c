//! A small shop with people in it, for rules to change.

use pgkeep_testbed::{Database, Server};

const SHOP: &str = r#"
create extension citext schema public;
create domain phone as varchar(20);
create table users (
    id int primary key, name text not null, email citext unique, phone phone, born date, seen timestamptz,
    token uuid, secret bytea, code int, note varchar(40),
    label text generated always as (name || '!') stored);
insert into users (id, name, email, phone, born, seen, token, secret, code, note)
select i, 'User ' || i, 'User' || i || '@Real.example', '+49 30 ' || i, '1990-01-01'::date + i,
       '2026-01-01 12:00+00'::timestamptz + i * interval '1 hour', md5(i::text)::uuid, convert_to('s' || i, 'UTF8'), i,
       'Room ' || i
from generate_series(1, 500) i;
insert into users (id, name) values (1000, 'Nobody');
create table logins (user_email citext references users (email), at timestamptz);
insert into logins select 'User' || i || '@Real.example', now() from generate_series(1, 300) i;
create table orders (id bigint, day date not null, customer int references users, total numeric, primary key (id, day))
    partition by range (day);
create table orders_old partition of orders for values from ('2020-01-01') to ('2026-01-01');
create table orders_new partition of orders for values from ('2026-01-01') to ('2030-01-01');
insert into orders select i, '2025-06-01'::date + i, 1 + i % 500, i from generate_series(1, 1000) i;
create table items (order_id bigint, day date, what text, foreign key (order_id, day) references orders (id, day));
insert into items select id, day, 'thing ' || id from orders;
select lo_from_bytea(0, 'a letter');
"#;

/// The shop.
pub fn shop(major: u32) -> Database {
    let database = Database::create(&Server::major(major), "masking");
    database.psql(SHOP);
    database
}
