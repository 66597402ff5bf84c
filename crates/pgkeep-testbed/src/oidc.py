"""An identity provider: oidc-provider-mock, which is Authlib's server. It takes one client, insists on PKCE, and lies in
its ID tokens and of itself as it is told by PUT /lies: {"alg": …, "foreign_key": true, "claims": {…}, "metadata": {…}}.
Prints its port."""

import base64
import json
import os
import sys

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import flask
import werkzeug.serving
from authlib.oauth2.rfc7636 import CodeChallenge
from joserfc import jwk, jws
from oidc_provider_mock import _app
from oidc_provider_mock._storage import Client, storage

CLIENT, SECRET = sys.argv[1:3]
KEYS = {
    "RS256": jwk.RSAKey.generate_key(2048, {"kid": "rsa"}),
    "ES256": jwk.ECKey.generate_key("P-256", {"kid": "ec"}),
    "EdDSA": jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"}),
    "HS256": jwk.OctKey.generate_key(256, {"kid": "oct"}),
}
FOREIGN = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
lies = {}


class Grant(_app.AuthorizationCodeGrant):
    def __init__(self, *args):
        super().__init__(*args)
        CodeChallenge(required=True)(self)

    def save_authorization_code(self, code, request):
        super().save_authorization_code(code, request)
        kept = storage.get_authorization_code(code)
        assert request.payload.data["code_challenge_method"] == "S256"
        object.__setattr__(kept, "code_challenge", request.payload.data["code_challenge"])
        object.__setattr__(kept, "code_challenge_method", "S256")


class Code(_app.OpenIDCode):
    def process_token(self, grant, response):
        token = super().process_token(grant, response)
        payload = token["id_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        claims.update(lies.get("claims", {}))
        alg = lies.get("alg", "RS256")
        header, body = {"alg": alg}, json.dumps({k: v for k, v in claims.items() if v is not None})
        if alg == "none":
            parts = (base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (json.dumps(header), body))
            token["id_token"] = ".".join(parts) + "."
            return token
        key = FOREIGN if lies.get("foreign_key") else KEYS[alg]
        token["id_token"] = jws.serialize_compact(header | {"kid": key.kid}, body, key, algorithms=[alg])
        return token


_app.AuthorizationCodeGrant, _app.OpenIDCode = Grant, Code
app = _app.app(require_client_registration=True, require_nonce=True)


@app.put("/lies")
def lie():
    lies.clear()
    lies.update(flask.request.json)
    return "", 204


@app.before_request
def know_the_client():
    storage.store_client(
        Client(
            id=CLIENT,
            secret=SECRET,
            redirect_uris=_app.ClientAllowAny(),
            allowed_scopes=Client.SCOPES_SUPPORTED,
            token_endpoint_auth_method=_app.ClientAllowAny(),
        )
    )


def keys():
    return {"keys": [key.as_dict(private=False) for alg, key in KEYS.items() if alg != "HS256"]}


def metadata():
    return _app.openid_config().json | lies.get("metadata", {})


app.view_functions["oidc-provider-mock.jwks"] = keys
app.view_functions["oidc-provider-mock.openid_config"] = metadata
port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
server = werkzeug.serving.make_server("127.0.0.1", port, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
