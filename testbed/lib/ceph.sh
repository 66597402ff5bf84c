# A Ceph object gateway: a real S3 server, with real signature checks. One monitor, one object store in
# memory, one gateway, all on loopback ports. Sourced after common.sh.

s3_access_key=pgkeeptestaccess
s3_secret_key=pgkeep-test/secret+key

ceph_is_up() {
    local port=$1 status
    # 200 (an anonymous empty list) from a gateway that has its pools.
    status=$(curl -s -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/" || true)
    [ "$status" = 200 ]
}

# start_ceph DIR PORT: starts from scratch, as the object store is memory.
start_ceph() {
    local dir=$1 port=$2 mon_port fsid classes start=$SECONDS
    stop_ceph "$dir"
    rm -rf "$dir"
    mkdir -p "$dir"/{mon,osd,run,log,rgw}
    mon_port=$(free_port)
    fsid=$(cat /proc/sys/kernel/random/uuid)
    classes=$(echo /usr/lib/*/rados-classes)
    [ -d "$classes" ] || classes=/usr/lib/rados-classes
    cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$mon_port/0]
ms bind ipv4 = true
ms bind msgr1 = false
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
run dir = $dir/run
admin socket = $dir/run/\$name.\$pid.asok
pid file = $dir/run/\$name.pid
log file = $dir/log/\$name.log
crash dir = $dir/run
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon max pg per osd = 1000
mon allow pool size one = true
mon data avail warn = 1
mon data avail crit = 0

[mon]
mon data = $dir/mon
mon cluster log file = $dir/log/cluster.log

[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd class dir = $classes
osd class load list = *
osd class default list = *
osd max object size = 1073741824

[client.rgw]
# radosgw asks for encryption towards the monitor, which there is none of without authentication.
ms mon client mode = crc
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw thread pool size = 64
rgw enable usage log = false
rgw run sync thread = false
# Deleted objects occupy memory until collected; the default is to wait two hours.
rgw gc obj min wait = 10
rgw gc processor period = 10
rgw gc processor max time = 10
CONF
    local conf=(-c "$dir/ceph.conf")
    {
        monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port/0]" "$dir/monmap"
        ceph-mon "${conf[@]}" --mkfs -i a --monmap "$dir/monmap"
        setsid ceph-mon "${conf[@]}" -i a 9>&-
        timeout 30 ceph "${conf[@]}" osd create 9>&-
        ceph-osd "${conf[@]}" -i 0 --mkfs --no-mon-config
        setsid ceph-osd "${conf[@]}" -i 0 9>&-
    } >"$dir/log/start.log" 2>&1 </dev/null || { tail -n 30 "$dir/log/start.log" >&2; die "Ceph did not start"; }
    {
        timeout 60 radosgw-admin "${conf[@]}" -n client.rgw user create --uid=pgkeep --display-name=pgkeep \
            --access-key="$s3_access_key" --secret="$s3_secret_key" --max-buckets=0 9>&-
        timeout 60 setsid radosgw "${conf[@]}" -n client.rgw 9>&-
    } >>"$dir/log/start.log" 2>&1 </dev/null || { tail -n 30 "$dir/log/start.log" >&2; die "the S3 gateway did not start"; }
    wait_for 60 "the S3 gateway" "$dir/log/client.rgw.log" ceph_is_up "$port"
    say "S3 gateway on port $port ($((SECONDS - start)) s)"
}

stop_ceph() {
    local dir=$1 file pid name
    for file in "$dir"/run/*.pid; do
        [ -e "$file" ] || continue
        pid=$(cat "$file")
        name=$(cat "/proc/$pid/comm" 2>/dev/null || true)
        # A number in an old file may belong to another process by now.
        case $name in ceph-mon | ceph-osd | radosgw) kill -KILL "$pid" 2>/dev/null || true ;; esac
    done
}
