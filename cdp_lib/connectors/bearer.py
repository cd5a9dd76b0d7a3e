"""Requests under an access token that is got for a secret, kept, and got anew once when the channel refuses it."""

import base64
import json
from collections.abc import Callable, Collection, Mapping
from threading import Lock
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, model_validator, SecretStr

from cdp_lib.connectors.http import HttpChannel, Reply
from cdp_lib.connectors.protocol import ConnectorSettings, Refused, Retryable, reveal
from cdp_lib.errors import DeliveryError

_UNAUTHORISED = 401
_WRONG_SECRETS = frozenset(range(400, 408))
_HOUR = 3600
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_KEY_FIELDS = ("client_email", "private_key", "private_key_id")


class BearerChannel:
    """A channel whose requests bear a token. Threads may share it; `exchange` gives a new token."""

    def __init__(self, channel: HttpChannel, exchange: Callable[[], str]) -> None:
        self._channel = channel
        self._exchange = exchange
        self._lock = Lock()
        self._kept: str | None = None

    def request(self, method: str, path: str, *, sees: Collection[int] = (), **request: Any) -> Reply:
        """As HttpChannel.request; a 401 counts only when a token that was got anew meets it too."""
        token = self._token(refused=None)
        bearer = {"Authorization": f"Bearer {token}"}
        reply = self._channel.request(method, path, sees={*sees, _UNAUTHORISED}, headers=bearer, **request)
        if reply.status != _UNAUTHORISED:
            return reply
        another = self._token(refused=token)
        if another == token:
            raise Refused("HTTP 401: the access token is wrong or has expired")
        bearer = {"Authorization": f"Bearer {another}"}
        return self._channel.request(method, path, sees=sees, headers=bearer, **request)

    def close(self) -> None:
        """Let go of the connections."""
        self._channel.close()

    def _token(self, *, refused: str | None) -> str:
        with self._lock:
            if self._kept is None or self._kept == refused:
                self._kept = self._exchange()
            return self._kept


def access_token(url: str, *, headers: Mapping[str, str], form: Mapping[str, str]) -> str:
    """What an OAuth token address gives for the form.

    Raises Refused where the secrets are wrong, Retryable where nobody answers: asking again does no harm.
    """
    channel = HttpChannel(url, headers=headers, repeats_safely=True)
    try:
        reply = channel.request("POST", url, sees=_WRONG_SECRETS, data=dict(form))
    except Retryable as problem:
        raise Retryable(str(problem), problem.retry_after_seconds, nothing_taken=True) from None
    finally:
        channel.close()
    token = reply.fields.get("access_token")
    if not isinstance(token, str) or not token:
        raise Refused(f"HTTP {reply.status} from the token address, and no token: check the destination's secrets")
    return token


class ServiceAccount:
    """A Google service account, from the JSON text of its key. Raises DeliveryError where that is none."""

    def __init__(self, key: str) -> None:
        try:
            fields = json.loads(key)
        except ValueError:
            raise DeliveryError("service_account is no JSON: give the key file's whole text") from None
        missing = [name for name in _KEY_FIELDS if not isinstance(fields, dict) or not fields.get(name)]
        if missing:
            raise DeliveryError(f"service_account lacks {', '.join(missing)}: give the key file's whole text")
        try:
            private_key = load_pem_private_key(fields["private_key"].encode(), password=None)
        except ValueError:
            raise DeliveryError("service_account.private_key is no PEM key: make a new key file") from None
        if not isinstance(private_key, RSAPrivateKey):
            raise DeliveryError("service_account.private_key is no RSA key: make a new key file")
        self._email, self._key_id, self._private_key = fields["client_email"], fields["private_key_id"], private_key

    def assertion(self, *, scope: str, audience: str, now: float) -> str:
        """A signed claim (JWT, RS256), good for an hour from `now`, that the token address takes for a token."""
        header = {"alg": "RS256", "kid": self._key_id, "typ": "JWT"}
        claims = {"aud": audience, "exp": int(now) + _HOUR, "iat": int(now), "iss": self._email, "scope": scope}
        unsigned = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        return f"{unsigned}.{_encoded(self._private_key.sign(unsigned.encode(), PKCS1v15(), SHA256()))}"


class GoogleProof(ConnectorSettings):
    """What proves to one of Google's services that we may ask: a service account's key, or a token that is at hand."""

    service_account: SecretStr | None = Field(default=None, description="JSON text of a service account's key")
    access_token: SecretStr | None = Field(default=None, description="In place of it: a token that is at hand")
    token_url: str = Field(default="https://oauth2.googleapis.com/token", description="Where tokens are had")

    @model_validator(mode="after")
    def _has_one_proof(self) -> "GoogleProof":
        if (self.service_account is None) == (self.access_token is None):
            raise ValueError("give either service_account or access_token")
        return self

    def exchange(self, scope: str, now: Callable[[], float]) -> Callable[[], str]:
        """What gives a token of that scope; `now` is seconds since 1970."""
        if self.service_account is None:
            return lambda: reveal(self.access_token)
        account = ServiceAccount(reveal(self.service_account))

        def token() -> str:
            claim = account.assertion(scope=scope, audience=self.token_url, now=now())
            return access_token(self.token_url, headers={}, form={"grant_type": _GRANT, "assertion": claim})

        return token


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
