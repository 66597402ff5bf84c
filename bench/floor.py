"""The floor: copies every table out as text over N connections and throws it away. No dump can be faster.

    floor.py URL CONNECTIONS

It speaks just enough of the protocol for a server that trusts it: one start, queries, and the end of each.
"""
import queue, socket, struct, sys, threading, urllib.parse

url, connections = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2])
SEGMENT_PAGES = 4096
READY = b"Z\0\0\0\5I"


class Connection:
    def __init__(self):
        self.socket = socket.create_connection((url.hostname, url.port))
        options = "-c enable_seqscan=off -c synchronize_seqscans=off"
        fields = ["user", url.username, "database", url.path[1:], "options", options]
        body = struct.pack("!i", 196608) + b"".join(f.encode() + b"\0" for f in fields) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self.buffer = bytearray(1 << 20)
        self.drain()

    def query(self, sql, keep=False):
        sql = sql.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", len(sql) + 4) + sql)
        return self.drain(keep)

    def drain(self, keep=False):
        """Reads to the end of the answer. COPY text has no zero bytes and its rows end in a newline, so that
        nothing within it looks like the last message."""
        kept, tail = bytearray(), b""
        while True:
            got = self.socket.recv_into(self.buffer)
            if got == 0:
                sys.exit("the server closed the connection: " + bytes(kept).decode(errors="replace"))
            if keep:
                kept += self.buffer[:got]
            tail = (tail + bytes(self.buffer[max(0, got - 6):got]))[-6:]
            if tail == READY:
                return kept


def rows(answer):
    """The CopyData messages of a short answer."""
    at = 0
    while at < len(answer):
        length = struct.unpack_from("!i", answer, at + 1)[0]
        if answer[at] == ord("E"):
            sys.exit(bytes(answer[at:at + length]).decode(errors="replace"))
        if answer[at] == ord("d"):
            yield bytes(answer[at + 5:at + length]).decode()
        at += 1 + length


work = queue.Queue()
tables = Connection().query(
    "copy (select oid::regclass, pg_relation_size(oid) / 8192 from pg_class where relkind = 'r' and relnamespace >= 16384"
    " or relkind = 'r' and relnamespace = 'public'::regnamespace order by 2 desc) to stdout", keep=True)
for row in rows(tables):
    table, pages = row.rstrip("\n").split("\t")
    for first in range(0, int(pages) or 1, SEGMENT_PAGES):
        end = f" and ctid < '({first + SEGMENT_PAGES},0)'" if first + SEGMENT_PAGES < int(pages) else ""
        work.put(f"copy (select * from only {table} where ctid >= '({first},0)'{end}) to stdout")


def run():
    connection = Connection()
    while True:
        try:
            connection.query(work.get_nowait())
        except queue.Empty:
            return


threads = [threading.Thread(target=run) for _ in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
