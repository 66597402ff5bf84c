#!/usr/bin/env bash
# Starts the benchmark's own PostgreSQL 17 and makes its databases; both are kept between runs.
#   bench/load.sh            start, load what is missing, print the server's URL and process id
#   bench/load.sh --stop     stop the server
#   bench/load.sh --remove   stop it and remove its data
source "$(dirname "$0")/../testbed/lib/common.sh"
source "$repo/testbed/lib/postgres.sh"

bed=$cache/bench
data=$bed/17
tls_majors=()
bin=$(pg_prefix 17)/bin

case ${1:-} in
--stop) stop_bench=1 ;;
--remove) stop_bench=1 remove_bench=1 ;;
"") ;;
*) die "unknown argument: $1" ;;
esac
if [ -n "${stop_bench:-}" ]; then
    as_server "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null 2>&1 || true
    if [ -n "${remove_bench:-}" ]; then rm -rf "$bed"; fi
    exit
fi

mkdir -p "$bed/pg"
chmod a+rx "$bed"
echo secret >"$bed/pg/password"
if [ -n "$server_user" ]; then chown "$server_user" "$bed"; fi
if ! as_server "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; then
    new=
    [ -e "$data/PG_VERSION" ] || new=1
    # The port is written at every start; a database of last time does not care.
    free_port >"$bed/port"
    start_pg 17 "$(cat "$bed/port")" "$data"
    if [ -n "$new" ]; then
        as_server tee -a "$data/postgresql.conf" >/dev/null <<CONF
shared_buffers = 512MB
maintenance_work_mem = 256MB
wal_level = replica
max_wal_senders = 0
max_wal_size = 2GB
checkpoint_timeout = 1h
autovacuum = off
CONF
        # The floor is a program of a few lines that cannot do SCRAM.
        as_server sed -i 's/scram-sha-256/trust/' "$data/pg_hba.conf"
        as_server "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null
        start_pg 17 "$(cat "$bed/port")" "$data"
    fi
fi
url=postgres://postgres:secret@127.0.0.1:$(cat "$bed/port")

# load NAME PGBENCH_SCALE MIB_OF_EVENTS [BODY]: under another name first, so that a broken load is not taken for a whole one.
load() {
    local name=$1 scale=$2 mib=$3 body=${4:-messages}
    if [ "$("$bin/psql" -XAtqc "select count(*) from pg_database where datname = '$name'" "$url/postgres")" = 1 ]; then
        return
    fi
    say "loading $name (once)" >&2
    "$bin/psql" -Xqc 'drop database if exists loading' -c 'create database loading template template0' "$url/postgres" \
        2>/dev/null
    "$bin/pgbench" -i -q -s "$scale" "$url/loading" >/dev/null 2>&1
    "$bin/psql" -Xq -v ON_ERROR_STOP=1 -v mib="$mib" -v body="$body" -f "$repo/bench/load.sql" "$url/loading" >&2
    # Hint bits and the visibility map: otherwise the first run would write them, and only the first.
    "$bin/psql" -Xqc 'vacuum (freeze, analyze)' "$url/loading"
    "$bin/psql" -Xqc "alter database loading rename to $name" "$url/postgres"
}
load "${BENCH_PREFIX:-}balanced" "${BENCH_SCALE:-50}" "${BENCH_EVENTS:-1020}"
load "${BENCH_PREFIX:-}skewed" "${BENCH_SCALE_SKEWED:-7}" "${BENCH_EVENTS_SKEWED:-1420}"
load "${BENCH_PREFIX:-}words" "${BENCH_SCALE:-50}" "${BENCH_EVENTS:-1020}" words
load "${BENCH_PREFIX:-}small" 7 "${BENCH_EVENTS_SMALL:-200}"

echo "$url $(head -1 "$data/postmaster.pid") $(dirname "$bin")"
