"""Whose a training is: lakehouses that keep their models in one store do not take each other's for their own."""

from dataclasses import dataclass

_SHOWN = 8
"""Letters of a lakehouse's id that tell it from others in a name."""


@dataclass(frozen=True)
class Owner:
    """The lakehouse that trains."""

    lakehouse: str
    """Its id; empty before its first run."""
    founded_ms: int | None = None
    """When its first run began, in milliseconds since 1970; None before that."""
    is_alone: bool = False
    """Whether the store lies in the lakehouse, where nobody else trains."""

    def owns(self, mark: str | None, made_ms: int) -> bool:
        """Whether what bears this mark is the lakehouse's own.

        What was made before there were marks is: where the lakehouse is alone, or was there already when it was made.
        """
        if self.is_alone:
            return True
        if mark is None:
            return self.founded_ms is not None and self.founded_ms <= made_ms
        return mark == self.lakehouse

    def apart(self, name: str) -> str:
        """The name beside another lakehouse's."""
        return f"{name}-{self.lakehouse[:_SHOWN] or 'new'}"
