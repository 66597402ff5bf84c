"""A scripted AWS for tests: what it makes takes time by a clock that the test moves, and it fails as it is told to.

Requests and answers are taken apart and put together by AWS's own service models (botocore's), and each is checked against
them; what does not fit is refused and noted as a violation, which ends the test. A test's orders come as JSON to /fake.
A service is a class with a method for each operation; see rds.py.
"""

import datetime
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.validate import ParamValidator
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from backup import Backup
from common import Refused
from iam import Iam
from rds import Rds
from wire import Query, RestJson

# What every service may answer (API reference, "Common Errors"; for throttling the SDKs' own lists).
COMMON_ERRORS = {"AccessDenied", "AccessDeniedException", "Throttling", "ThrottlingException", "RequestLimitExceeded",
                 "InternalFailure", "ServiceUnavailable", "InvalidParameterValue", "InvalidParameterCombination"}

WIRES = {"rds": Query(), "iam": Query(), "backup": RestJson()}


class Fake:
    def __init__(self):
        self.lock = threading.Lock()
        self.now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        self.tick = 0
        self.faults, self.violations, self.calls = [], [], []
        self.services = {"rds": Rds(self), "iam": Iam(self), "backup": Backup(self)}
        self.models = {name: get_service_model(name) for name in self.services}

    def order(self, order):
        """An order of the test."""
        do = order.pop("do")
        if do == "advance":
            self.now += datetime.timedelta(seconds=order["seconds"])
        elif do == "set":
            if "now" in order:
                self.now = datetime.datetime.fromisoformat(order.pop("now"))
            self.tick = order.pop("tick", self.tick)
            for name, value in order.items():
                service, _, name = name.partition(".")
                setattr(self.services[service], name, value)
        elif do == "fault":
            self.faults.append({"times": 1, "code": None, "message": "because the test says so", "status": 400} | order)
        elif do == "calls":
            calls, self.calls = self.calls, []
            return calls
        elif do == "violations":
            return self.violations
        else:
            return getattr(self.services[order.pop("service", "rds")], "order_" + do)(**order)
        return self.now.isoformat()

    def fault(self, operation, region, text):
        for fault in self.faults:
            if (fault["times"] > 0 and re.fullmatch(fault["operation"], operation) and
                    fault.get("region") in (None, region) and fault.get("about", "") in text):
                fault["times"] -= 1
                return fault
        return None

    def answer(self, scope, request):
        """Status, type of content and body; nothing where the answer is lost."""
        region, service = scope
        self.now += datetime.timedelta(seconds=self.tick)
        model, wire = self.models[service], WIRES[service]
        operation, read = wire.operation(model, request)
        serializer = get_serializer_class(service, wire.protocol)(operation)
        fault = self.fault(operation.name, region, request["path"] + request["body"])
        self.calls.append({"operation": operation.name, "region": region})
        headers = {"Content-Type": wire.content_type}
        try:
            if fault and fault["kind"] == "error":
                raise Refused(fault["code"], fault["message"], fault["status"])
            parameters, unread = wire.parse(operation, request, read)
            if unread:
                self.violate(f"{operation.name}: fields {unread}")
            self.check("request", operation, parameters, operation.input_shape)
            result = getattr(self.services[service], operation.name)(region, **parameters) or {}
            self.check("answer", operation, result, operation.output_shape)
            answer = serializer.serialize(result)
            status, text = answer["status_code"], answer["body"]
        except Refused as refused:
            known = {s.metadata.get("error", {}).get("code", s.name) for s in operation.error_shapes} | COMMON_ERRORS
            if refused.code not in known:
                self.violate(f"{operation.name} never answers {refused.code}")
            text, status = wire.refusal(model, refused), refused.status
            headers["X-Amzn-ErrorType"] = refused.code
        if fault and fault["kind"] == "lost":
            return None
        return status, headers, text if isinstance(text, bytes) else text.encode()

    def check(self, what, operation, value, shape):
        if shape is None:
            return
        report = ParamValidator().validate(value, shape)
        if report.has_errors():
            self.violate(f"{what} of {operation.name}: {report.generate_report()}")

    def violate(self, what):
        self.violations.append(what)
        print(what, file=sys.stderr, flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        fake = self.server.fake
        with fake.lock:
            try:
                if self.path == "/fake":
                    answer = 200, {}, json.dumps(fake.order(json.loads(body)), default=str).encode()
                else:
                    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/", self.headers["Authorization"]).groups()
                    request = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
                    answer = fake.answer(scope, request)
            except Exception as e:
                fake.violate(f"{self.path}: {e!r} for {body}")
                answer = 500, {}, repr(e).encode()
        if answer is None:
            self.close_connection = True
            return
        status, headers, text = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    do_GET = do_PUT = do_DELETE = do_POST

    def log_message(self, *_):
        pass


def main(port):
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    server.fake = Fake()
    server.serve_forever()


main(*sys.argv[1:])
