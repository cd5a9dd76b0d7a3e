"""Texts of a message for one customer: what a template needs and nobody knows is an error, never "Dear None"."""

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError, TemplateError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cdp_lib.errors import DeliveryError
from cdp_lib.settings.activation import Message

_MARKED_UP = "html"
_ONE_LINE = "subject"


class MissingFieldError(DeliveryError):
    """A template reads a field that is not known of this customer; it names the field, never the person."""


class _Missing(StrictUndefined):
    """What a template finds where nothing is known: `default` replaces it, everything else fails."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        place = self._undefined_obj.place if isinstance(self._undefined_obj, _Fields) else ""
        return f"{place}.{self._undefined_name}" if place else str(self._undefined_name)


class _Fields(Mapping[str, Any]):
    """A mapping that knows where it stands in the context, and holds only what is known."""

    def __init__(self, place: str, given: Mapping[str, Any]) -> None:
        self.place = place
        self._given = {name: _placed(f"{place}.{name}", value) for name, value in given.items() if not _is_empty(value)}

    def __getitem__(self, name: str) -> Any:
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Templates reach what they are given and nothing of Python's."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field of the context; of any other value what the sandbox allows."""
        if isinstance(obj, _Fields):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


class Renderer:
    """A message's templates, ready to be filled; made once, used for many customers."""

    def __init__(self, message: Message) -> None:
        self.message = message
        environments = {is_marked_up: _environment(is_marked_up) for is_marked_up in (True, False)}
        self._templates = {
            (language, part): environments[part == _MARKED_UP].from_string(text)
            for language, texts in message.texts.items()
            for part, text in texts.items()
        }

    def render(self, context: Mapping[str, Any], language: str | None = None) -> dict[str, str]:
        """Part: text, in the language asked for, else in the message's default.

        `context` holds what `settings.activation.Message` names: customer, offer, products, activation, business and
        unsubscribe_url. Null, empty and blank values count as missing. The subject is one line whatever a value holds.
        Raises MissingFieldError, and DeliveryError where a template does what it may not or cannot.
        """
        spoken = language if language in self.message.texts else self.message.default_language
        known = {name: _placed(name, value) for name, value in context.items() if not _is_empty(value)}
        parts = {part: self._filled(spoken, part, known) for part in self.message.texts[spoken]}
        return {part: " ".join(text.split()) if part == _ONE_LINE else text for part, text in parts.items()}

    def _filled(self, language: str, part: str, known: Mapping[str, Any]) -> str:
        where = f"message {self.message.id}, {language}.{part}"
        try:
            return self._templates[language, part].render(known)
        except UndefinedError as problem:
            raise MissingFieldError(
                f"{where}: {problem.message} is not known. Write `| default('...')`, or leave these customers out."
            ) from None
        except SecurityError:
            raise DeliveryError(f"{where}: the template reaches for what it may not. Read fields only.") from None
        except (TemplateError, TypeError, ValueError, ArithmeticError) as problem:
            # Its words may hold the customer's values.
            raise DeliveryError(f"{where}: the template fails with {type(problem).__name__}.") from None


def _environment(is_marked_up: bool) -> _Sandbox:
    return _Sandbox(undefined=_Missing, autoescape=is_marked_up, trim_blocks=True, lstrip_blocks=True)


def _is_empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | tuple | Mapping) and len(value) == 0)


def _placed(place: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _Fields(place, value)
    if isinstance(value, list | tuple):
        return [_placed(place, one) for one in value]
    return value
