"""Requests and refusals in the two protocols of the services: parameters in a form with XML back, or REST with JSON."""

import json
import re
import urllib.parse

from botocore.serialize import QuerySerializer, RestJSONSerializer
from moto.core.parse import PROTOCOL_PARSERS


class Query:
    protocol, content_type = "query", "text/xml"

    def operation(self, model, request):
        form = dict(urllib.parse.parse_qsl(request["body"], keep_blank_values=True))
        return model.operation_model(form["Action"]), form

    def parse(self, operation, request, form):
        told = request | {"url_path": "/", "query_string": {}, "body": form, "values": form}
        parameters = PROTOCOL_PARSERS["query"](operation).parse(told)
        # What botocore makes of the same parameters has the same fields, so that none was left unread.
        again = QuerySerializer().serialize_to_request(parameters, operation)["body"]
        return parameters, sorted(set(again) ^ set(form))

    def refusal(self, model, refused):
        return (f'<ErrorResponse xmlns="{model.metadata["xmlNamespace"]}"><Error><Type>Sender</Type>'
                f"<Code>{refused.code}</Code><Message>{refused}</Message></Error><RequestId>x</RequestId></ErrorResponse>")


class Values(dict):
    """A query's values, as the parsers want them."""

    def getlist(self, key):
        return [self[key]] if key in self else []


class RestJson:
    protocol, content_type = "rest-json", "application/json"

    def operation(self, model, request):
        path = urllib.parse.urlsplit(request["path"]).path
        for name in model.operation_names:
            http = model.operation_model(name).http
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"].split("?")[0].rstrip("/")))
            found = re.fullmatch(pattern, path.rstrip("/"))
            if http["method"] == request["method"] and found:
                return model.operation_model(name), {k: urllib.parse.unquote(v) for k, v in found.groupdict().items()}
        raise LookupError(f"no operation for {request['method']} {path}")

    def parse(self, operation, request, in_path):
        values = Values(urllib.parse.parse_qsl(urllib.parse.urlsplit(request["path"]).query, keep_blank_values=True))
        told = request | {"url_path": request["path"], "url_params": in_path, "query_string": values, "values": values,
                          "body": request["body"].encode()}
        parameters = {k: v for k, v in PROTOCOL_PARSERS["rest-json"](operation).parse(told).items() if v is not None}
        again = RestJSONSerializer().serialize_to_request(parameters, operation)
        unread = set(json.loads(request["body"] or "{}")) ^ set(json.loads(again["body"] or b"{}"))
        return parameters, sorted(unread | set(values) ^ set(again["query_string"]))

    def refusal(self, model, refused):
        return json.dumps({"__type": refused.code, "Code": refused.code, "Message": str(refused), "message": str(refused)})
