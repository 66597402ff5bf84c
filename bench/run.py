#!/usr/bin/env python3
"""Runs whole programs against each other, interleaved (A B C A B C …), and prints medians.

    run.py [--runs 5] [--pgkeep PATH] [--json FILE] [--list] [SECTION | CASE]...

Called by bench/run, which starts the server and loads the databases. What is measured and how: README.md.
"""
import argparse, json, os, pathlib, shutil, signal, socket, statistics, subprocess, sys, tempfile, threading, time
import urllib.parse

here = pathlib.Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")


class Case:
    """One command. In its words {url} is the source, {target} a fresh database to restore into, {out} where the
    output goes, {archive} an archive made beforehand by `prepare`, {slow} the source over a slow link."""

    def __init__(self, section, name, command, database="balanced", prepare=None, env=None):
        self.section, self.name, self.command = section, name, command.split()
        self.database, self.prepare, self.env = database, prepare, env


def dump_cases(section, database):
    pgkeep = "{pgkeep} backup {url} --to file://{out} --jobs 2 --compress "
    cases = [
        Case(section, "floor: 2 connections, discard", "{python} {here}/floor.py {url} 2", database),
        Case(section, "pg_dump 17 -Fc (gzip 6)", "{pg17}/bin/pg_dump -Fc -f {out}/a {url}", database),
    ]
    for level in ("zstd:1", "zstd:3"):
        cases.append(Case(section, f"pg_dump 17 -Fc {level}", f"{{pg17}}/bin/pg_dump -Fc -Z {level} -f {{out}}/a {{url}}", database))
    for level in ("zstd:1", "zstd:3", "gzip"):
        cases.append(Case(section, f"pg_dump 17 -Fd -j2 {level}", f"{{pg17}}/bin/pg_dump -Fd -j2 -Z {level} -f {{out}}/a {{url}}", database))
    for level in ("zstd:1", "zstd:3", "gzip:6", "none"):
        cases.append(Case(section, f"pgkeep --jobs 2 {level}", pgkeep + level, database))
    return cases


def restore_cases(section, database):
    stock = "{pg17}/bin/pg_dump -Fc -Z %s -f {out}/a {url}"
    ours = "{pgkeep} backup {url} --to file://{out} --jobs 2 --compress zstd:3"
    restore = "{pgkeep} restore {archive} --into {target} --jobs 2"
    return [
        Case(section, "pg_restore -j2, stock gzip 6", "{pg17}/bin/pg_restore -j2 -d {target} {archive}", database, stock % "gzip:6"),
        Case(section, "pg_restore -j2, stock zstd:3", "{pg17}/bin/pg_restore -j2 -d {target} {archive}", database, stock % "zstd:3"),
        Case(section, "pg_restore -j2, pgkeep's zstd:3", "{pg17}/bin/pg_restore -j2 -d {target} {archive}", database, ours),
        Case(section, "pgkeep --jobs 2, stock zstd:3", restore + " --no-prove", database, stock % "zstd:3"),
        Case(section, "pgkeep --jobs 2, unproven", restore + " --no-prove", database, ours),
        Case(section, "pgkeep --jobs 2, proven", restore, database, ours),
        Case(section, "pgkeep --jobs 2, proven, from S3", restore, database, ours.replace("file://{out}", "{s3}")),
    ]


CASES = (
    dump_cases("dump", "balanced") + dump_cases("dump-skewed", "skewed")
    + [case for case in dump_cases("dump-words", "words") if "zstd" in case.name or "floor" in case.name]
    + restore_cases("restore", "balanced") + restore_cases("restore-skewed", "skewed")
    + [
        Case("slow-link", "pg_dump 17 -Fc zstd:1", "{pg17}/bin/pg_dump -Fc -Z zstd:1 -f {out}/a {slow}", "small"),
        Case("slow-link", "pg_dump 17 -Fd -j8 zstd:1", "{pg17}/bin/pg_dump -Fd -j8 -Z zstd:1 -f {out}/a {slow}", "small"),
        Case("slow-link", "pgkeep --jobs 8 zstd:1", "{pgkeep} backup {slow} --to file://{out} --jobs 8 --compress zstd:1", "small"),
    ]
)


def slow_link(upstream, rate):
    """A proxy that holds each connection to `rate` bytes a second in each direction; returns its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source, sink):
        ready = time.monotonic()
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                ready = max(ready, time.monotonic() - 0.05) + len(data) / rate
                time.sleep(max(0.0, ready - time.monotonic()))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def accept():
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(upstream)
            for pair in ((client, server), (server, client)):
                pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def server_cpu(postmaster):
    """CPU seconds of the server so far: the postmaster's own, its ended children's, and its living children's."""
    def ticks(pid, fields):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            return 0, None
        return sum(int(stat[f]) for f in fields), int(stat[1])

    total, _ = ticks(postmaster, (11, 12, 13, 14))
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            own, parent = ticks(entry, (11, 12))
            if parent == postmaster:
                total += own
    return total / TICK


def size_of(path):
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


class Bench:
    def __init__(self, options):
        self.url, postmaster, pg17 = options.server.split()
        self.postmaster, self.pg17 = int(postmaster), pathlib.Path(pg17)
        self.options = options
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="out-", dir=options.scratch))
        self.slow_port = None
        self.archives = {}

    def sql(self, *commands):
        words = [str(self.pg17 / "bin/psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", self.url + "/postgres"]
        for command in commands:
            words += ["-c", command]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def words(self, case, command, out, archive=None, target=None):
        url = f"{self.url}/{self.options.prefix}{case.database}"
        slow = url
        if "{slow}" in command:
            address = urllib.parse.urlsplit(self.url)
            self.slow_port = self.slow_port or slow_link((address.hostname, address.port), 10_000_000)
            slow = url.replace(f":{address.port}/", f":{self.slow_port}/")
        return [
            word.format(
                url=url, slow=slow, out=out, archive=archive, target=target, here=here, python=sys.executable,
                pgkeep=self.options.pgkeep, pg17=self.pg17, s3=self.s3_url(),
            )
            for word in command.split()
        ]

    # S3: the test bed's server, when it is up.
    def s3_url(self):
        endpoint = os.environ.get("PGKEEP_TEST_S3_ENDPOINT")
        return f"s3://pgkeep-bench/archives?endpoint={endpoint}&path-style=true&region=us-east-1" if endpoint else None

    def s3(self, command, *rest):
        script = here.parent / "crates/pgkeep-testbed/src/s3.py"
        words = [sys.executable, str(script), command, "pgkeep-bench", *rest]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def run(self, words):
        """Runs a program to its end: wall, its CPU, the server's CPU, the largest process."""
        # pgkeep looks for a pg_dump of the server's major.
        env = dict(os.environ, PGPASSWORD="secret", PATH=f"{self.pg17}/bin:{os.environ['PATH']}")
        if "PGKEEP_TEST_S3_ACCESS_KEY" in env:
            env["AWS_ACCESS_KEY_ID"] = env["PGKEEP_TEST_S3_ACCESS_KEY"]
            env["AWS_SECRET_ACCESS_KEY"] = env["PGKEEP_TEST_S3_SECRET_KEY"]
        with tempfile.TemporaryFile() as said:
            before, start = server_cpu(self.postmaster), time.monotonic()
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env=env)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            # A backend takes a moment to end, and only then is its time the postmaster's.
            time.sleep(0.1)
            server = server_cpu(self.postmaster) - before
            said.seek(0)
            if process.returncode != 0:
                raise RuntimeError(f"{' '.join(words)}: exit {process.returncode}\n{said.read().decode(errors='replace')[-2000:]}")
        return {
            "wall_s": wall, "client_cpu_s": usage.ru_utime + usage.ru_stime, "server_cpu_s": server,
            "peak_rss_mib": usage.ru_maxrss / 1024,
        }

    def archive_for(self, case):
        """The archive to restore, made once by the same command for all cases that want it."""
        key = (case.prepare, case.database)
        if case.prepare and key not in self.archives:
            out = self.dir / f"archive{len(self.archives)}"
            out.mkdir()
            keys_before = set()
            if "{s3}" in case.prepare:
                try:
                    self.s3("create")
                except subprocess.CalledProcessError:
                    pass  # left over from a broken run
                keys_before = set(self.s3("keys").splitlines())
            self.run(self.words(case, case.prepare, out))
            if "{s3}" in case.prepare:
                new = [line.split("\t")[1] for line in set(self.s3("keys").splitlines()) - keys_before]
                archive = next(k for k in sorted(new) if not k.endswith(".json"))
                place, query = self.s3_url().split("?")
                self.archives[key] = f"s3://pgkeep-bench/{archive}?{query}"
            else:
                files = [f for f in out.rglob("*") if f.is_file() and f.suffix != ".json"]
                self.archives[key] = max(files, key=lambda f: f.stat().st_size)
        return self.archives.get(key)

    def measure(self, case):
        out = self.dir / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        restore = "{target}" in " ".join(case.command)
        archive = self.archive_for(case)
        if restore:
            self.sql("drop database if exists bench_target with (force)", "create database bench_target template template0")
        self.sql("checkpoint")
        result = self.run(self.words(case, " ".join(case.command), out, archive, self.url + "/bench_target"))
        if restore:
            self.sql("drop database bench_target with (force)")
        else:
            result["output_mb"] = size_of(out) / 1e6
        shutil.rmtree(out)
        return result

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        if any("s3://" in str(a) for a in self.archives.values()):
            self.s3("drop")


def usable(case, options):
    text = " ".join(case.command) + (case.prepare or "")
    if "{pgkeep}" in text and not pathlib.Path(options.pgkeep).exists():
        return f"no {options.pgkeep}: cargo build --release"
    if "{s3}" in text and "PGKEEP_TEST_S3_ENDPOINT" not in os.environ:
        return "no S3 server: testbed/up and . .bed/env"
    return None


def table(section, results):
    print(f"\n{section}")
    columns = ["wall s", "client s", "server s", "MB", "peak MiB", "× first"]
    print(f"{'':36}" + "".join(f"{c:>10}" for c in columns))
    first = None
    for name, runs in results.items():
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        first = first or median["wall_s"]
        size = f"{median['output_mb']:10.0f}" if "output_mb" in median else f"{'–':>10}"
        print(
            f"{name:36}{median['wall_s']:10.2f}{median['client_cpu_s']:10.2f}{median['server_cpu_s']:10.2f}{size}"
            f"{median['peak_rss_mib']:10.0f}{median['wall_s'] / first:10.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="*", metavar="SECTION | CASE", help="sections, or parts of cases' names")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pgkeep", default=str(here.parent / "target/release/pgkeep"))
    parser.add_argument("--json", help="every single run, for a closer look")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help="where the archives are written", default=None)
    parser.add_argument("--prefix", default=os.environ.get("BENCH_PREFIX", ""), help=argparse.SUPPRESS)
    options = parser.parse_args()
    sections = {case.section for case in CASES}
    unknown = [w for w in options.wanted if w not in sections and not any(w in c.name for c in CASES)]
    if unknown:
        parser.error(f"no such section or case: {unknown[0]} (see --list)")
    # A section's name is not looked for in cases' names: nearly all contain "dump".
    words = [w for w in options.wanted if w not in sections]
    chosen = sections.intersection(options.wanted) or sections
    cases = [c for c in CASES if c.section in chosen and (not words or any(w in c.name for w in words))]
    if options.list:
        for case in cases:
            print(f"{case.section:16}{case.name}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(options)
    everything, failed = {}, False
    try:
        for section in dict.fromkeys(case.section for case in cases):
            mine = []
            for case in (c for c in cases if c.section == section):
                if why := usable(case, options):
                    print(f"left out: {case.section}: {case.name} ({why})", file=sys.stderr)
                else:
                    mine.append(case)
            results = {case.name: [] for case in mine}
            # One round that is not counted fills the caches for all alike.
            for round in range(options.runs + 1):
                for case in list(mine):
                    try:
                        result = bench.measure(case)
                    except RuntimeError as error:
                        # One that fails is taken out, as its times would mean nothing; the others go on.
                        print(f"FAILED: {section}: {case.name}: {error}", file=sys.stderr, flush=True)
                        mine.remove(case)
                        del results[case.name]
                        failed = True
                        continue
                    if round > 0:
                        results[case.name].append(result)
                print(f"{section}: round {round} of {options.runs}", file=sys.stderr, flush=True)
            everything[section] = results
            if mine:
                table(section, results)
    finally:
        bench.close()
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(everything, indent=1))
    if failed:
        sys.exit("some cases failed, see above")


main()
