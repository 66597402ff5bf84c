# What is missing of the distribution's packages. Sourced after common.sh.

missing_packages=()

need_package() { case " ${missing_packages[*]} " in *" $1 "*) ;; *) missing_packages+=("$1") ;; esac; }
need_command() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || need_package "$2"; }
need_file() { [ -e "$1" ] || need_package "$2"; }

# Shared libraries that the PostgreSQL builds take from the system, and the package of each. Ubuntu 24.04
# renamed some for the 64-bit time type, hence the alternatives.
declare -A library_package=(
    [libgssapi_krb5.so.2]="libgssapi-krb5-2"
    [libssl.so.3]="libssl3t64 libssl3"
    [libcrypto.so.3]="libssl3t64 libssl3"
    [libz.so.1]="zlib1g"
    [liblz4.so.1]="liblz4-1"
    [libzstd.so.1]="libzstd1"
    [libxml2.so.2]="libxml2"
    [libxslt.so.1]="libxslt1.1"
    [libreadline.so.8]="libreadline8t64 libreadline8"
    [libossp-uuid.so.16]="libossp-uuid16"
    [libldap-2.5.so.0]="libldap-2.5-0"
)

need_libraries_of() {
    local prefix=$1 library candidate
    for library in $(LD_LIBRARY_PATH=$prefix/lib ldd "$prefix"/bin/{postgres,initdb,pg_ctl,pg_dump,pg_restore,psql,pgbench} \
        "$prefix"/lib/{pgxml,uuid-ossp,dblink,postgres_fdw}.so 2>/dev/null |
        awk '/not found/ { print $1 }' | sort -u); do
        for candidate in ${library_package[$library]:-}; do
            if apt-cache show "$candidate" >/dev/null 2>&1; then need_package "$candidate"; break; fi
        done
        [ -n "${library_package[$library]:-}" ] || die "PostgreSQL needs $library, and no package is known to have it"
    done
}

install_packages() {
    [ ${#missing_packages[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "please install, with your package manager: ${missing_packages[*]}"
    say "packages: ${missing_packages[*]}"
    local log=$cache/apt.log
    # A stale or never fetched index is only noticed by failing, and fetching it always takes seconds.
    install_now() {
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
            "${missing_packages[@]}" </dev/null 9>&-
    }
    # ceph-mon's postinst may fail where there is no systemd; what counts is that its program is there, which
    # `testbed/up` finds out.
    install_now >"$log" 2>&1 ||
        { as_root apt-get update -q >>"$log" 2>&1 && install_now >>"$log" 2>&1; } ||
        { case "${missing_packages[*]}" in *ceph*) [ -x /usr/bin/ceph-osd ] && [ -x /usr/bin/radosgw ] ;; *) false ;; esac; } ||
        { tail -n 20 "$log" >&2; die "installing packages failed"; }
    missing_packages=()
}
