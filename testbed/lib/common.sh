# Shared by testbed/install, up, down and demo. Sourced, not run.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# initdb and postgres refuse to run as root. Root therefore runs them as another user, who must be able to
# read the installed servers and to enter the data directory: neither is sure below /root.
if [ "$(id -u)" = 0 ]; then
    server_user=postgres
    cache=${PGKEEP_TESTBED_CACHE:-/var/cache/pgkeep-testbed}
    # One bed per checkout.
    bed=${PGKEEP_BED:-/var/tmp/pgkeep-bed-$(printf %s "$repo" | cksum | cut -d' ' -f1)}
else
    server_user=
    cache=${PGKEEP_TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pgkeep-testbed}
    bed=${PGKEEP_BED:-$repo/.bed}
fi
env_file=$repo/.bed/env

say() { printf 'testbed: %s\n' "$*"; }
die() { printf 'testbed: %s\n' "$*" >&2; exit 1; }

# Runs a command as the user who owns the servers.
as_server() {
    if [ -n "$server_user" ]; then (cd / && exec runuser -u "$server_user" -- "$@"); else "$@"; fi
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        die "this needs root, and there is no sudo: $*"
    fi
}

# wait_for SECONDS WHAT LOG COMMAND...: polls until the command succeeds; shows the log's end when it never does.
wait_for() {
    local limit=$1 what=$2 log=$3 start=$SECONDS
    shift 3
    until "$@" >/dev/null 2>&1; do
        if [ $((SECONDS - start)) -ge "$limit" ]; then
            printf 'testbed: %s is not there after %s s. The end of %s:\n' "$what" "$limit" "$log" >&2
            tail -n 30 "$log" >&2 || true
            exit 1
        fi
        sleep 0.1
    done
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A loopback port below the kernel's ephemeral range, so that no outgoing connection takes it meanwhile.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        [ -e "$bed/ports/$port" ] && continue
        port_is_open "$port" && continue
        mkdir -p "$bed/ports" && : >"$bed/ports/$port"
        echo "$port"
        return
    done
}

# pip_into FOLDER LOG PACKAGE-OR-OPTION… : Python packages into a folder of their own. --target keeps clear of PEP 668: nothing
# is put into the system's Python.
pip_into() {
    local folder=$1 log=$2
    shift 2
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$folder" "$@" \
        >>"$log" 2>&1 || { tail -n 20 "$log" >&2; die "installing $* failed"; }
}
