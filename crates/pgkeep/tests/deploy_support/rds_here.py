"""RDS as it is emulated at the first argument, but with instances that are really there: on localhost, which can be the
name of one. Prints its port."""

import http.server
import re
import sys
import urllib.error
import urllib.request


class Here(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = urllib.request.Request(sys.argv[1] + self.path, data=body, headers=dict(self.headers))
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as refused:
            answer = refused
        text = re.sub(rb"<Address>[^<]*</Address>", b"<Address>localhost</Address>", answer.read())
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
print(server.server_port, flush=True)
server.serve_forever()
