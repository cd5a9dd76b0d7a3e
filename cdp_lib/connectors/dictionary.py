"""The page of connectors as Markdown, written from their declarations: nothing in it can be out of date."""

from collections.abc import Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from cdp_lib.connectors import BUILT_IN, kind_named
from cdp_lib.connectors.protocol import ConnectorKind, types_in

FILE = "docs/connectors.md"

_INTRODUCTION = """# Connectors

Made by `make docs` from `cdp_lib/connectors`; do not edit.

A destination of a pack names one of these and gives its settings:

```yaml
kind: destination
id: news
connector: email
settings: {host: smtp.example.com, sender: news@shop.example.com, user: shop, password: "${SECRET:SHOP_SMTP}"}
```

*message*: something that a person reads; quiet hours, contact caps and the global holdout hold for e-mail, SMS, push
and LINE. *audience*: a list that is kept in step with an audience by add, update and remove. *record*: facts for a
tool. Where a second request with the same key does nothing, a request without an answer is made again; elsewhere its
intents are `unknown`, and never tried blindly.

The pace of each connector is what its channel usually bears; `per_second` beside `settings` is what your account
allows, more or less.

**None of them was tried against the real service.** E-mail and CSV are tested against real SMTP and SFTP servers on
this machine, the others against fakes that speak the channel's shape; they ask to wait, fail before and after they took
a batch, refuse single rows, are slow, cut the connection, deny access, are gone. `cdp connectors check` does it where
you are; in a checkout `make setup` brings the servers for e-mail and CSV (aiosmtpd, asyncssh), elsewhere it says what
to install. Facts that no document was seen for are listed below as *not verified*.

A connector of your own is a package with an entry point in the group `cdp.connectors` that names a `ConnectorKind`
(`cdp_lib/connectors/protocol.py`), and one in `cdp.connector_benches` that names its `Bench`, so that `cdp connectors
check` holds it against the same tests."""


def connector_page() -> dict[str, str]:
    """Path below the repository: text."""
    sections = (_section(kind_named(name)) for name in BUILT_IN)
    return {FILE: "\n\n".join((_INTRODUCTION, *sections)) + "\n"}


def _section(kind: ConnectorKind) -> str:
    lines = [f"## {kind.name}", "", f"{kind.doc}.", "", *_facts(kind), "", *_settings(kind)]
    if kind.unverified:
        lines += ["", "Not verified:", "", *(f"* {fact}" for fact in kind.unverified)]
    return "\n".join(lines)


def _facts(kind: ConnectorKind) -> Iterator[str]:
    yield f"* channel {kind.channel}, mode {kind.mode}, operations {', '.join(kind.operations)}"
    if kind.is_rebuilt:
        whole = "; where nobody is left, `remove` empties the list" if "remove" in kind.operations else ""
        yield f"* it removes nobody alone: when somebody leaves, everybody else is added to a new list{whole}"
    yield f"* {kind.limits.batch_size:,} a request at most, {kind.limits.per_second:g} requests a second"
    hours = "" if kind.key_hours is None else f" for {kind.key_hours:g} hours; after that it is not tried"
    same = f"nothing happens{hours}" if kind.is_idempotent else "it may double, so it is not tried"
    yield f"* the same key twice: {same}"
    if kind.parts:
        optional = f"; also {', '.join(kind.optional_parts)}" if kind.optional_parts else ""
        yield f"* a message has {', '.join(kind.parts)}{optional}"
    if kind.needs_address:
        yield f"* finds customers by `{kind.address}`" if kind.address else "* the activation says its `address`"
    if kind.identifiers is not None:
        yield "* what finds a member again is kept in `ops.list_entry` until they are off the list"
        if "update" in kind.operations and "remove" in kind.operations:
            yield "* whose address changed is taken off by the old one, in a request before the one with the new"


def _settings(kind: ConnectorKind) -> Iterator[str]:
    yield "| setting | | what it is |"
    yield "|---|---|---|"
    for name, field in kind.settings.model_fields.items():
        yield f"| `{name}` | {_need(field)} | {(field.description or '').replace('|', '/')} |"


def _need(field: FieldInfo) -> str:
    secret = "secret, " if SecretStr in types_in(field.annotation) else ""
    if field.is_required():
        return f"{secret}required"
    is_empty = field.default is None or field.default in ("", ())
    return f"{secret}optional" if is_empty else f"{secret}`{field.default}`"
