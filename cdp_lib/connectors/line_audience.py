"""LINE audiences for narrowcasts and ads: user ids are added to a group; who leaves is left out of the next group.

Nobody can be taken out of a group. Where nobody is left, all groups of the activation are deleted.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, UTC
from threading import Lock
from typing import Any

from pydantic import Field, SecretStr

from cdp_lib.connectors.http import HttpChannel, Reply
from cdp_lib.connectors.line import is_user_id
from cdp_lib.connectors.protocol import (
    Batch,
    ConnectorKind,
    ConnectorSettings,
    Limits,
    Outcome,
    Receipt,
    Refused,
    Rejected,
    Retryable,
    reveal,
    Unsure,
)

log = logging.getLogger(__name__)

_UPLOAD = "/v2/bot/audienceGroup/upload"
_LONGEST_NAME, _PAGE_SIZE, _BAD_REQUEST, _NOT_FOUND = 120, 40, 400, 404
_BETWEEN_DELETIONS_SECONDS = 1.0
"""The channel bears 60 requests a minute."""

_DONE, _FAILED = ("FINISHED", "READY"), "FAILED"


class LineAudienceSettings(ConnectorSettings):
    """A channel of the Messaging API, and how long its jobs are waited for."""

    access_token: SecretStr = Field(description="The channel's access token")
    audience_group_id: int | None = Field(
        default=None,
        description="A group that exists and serves until somebody leaves: then the list goes on in one that is made, "
        "as where this is left out: named after the activation, found or made",
    )
    poll_seconds: float = Field(default=5.0, gt=0, description="Between two looks at a job")
    polls: int = Field(default=60, ge=1, description="Looks at a job before it counts as unsure")
    base_url: str = Field(default="https://api.line.me", description="Where the channel is")
    timeout_seconds: float = Field(default=30.0, gt=0, description="How long an answer is waited for")


class LineAudience:
    """Adds items to a group, and deletes groups that nobody belongs to. Doing either twice leaves things as they are.

    An item's `person["rebuild"]` names the rebuild it belongs to (when it was planned, UTC): its group is called
    "<campaign> @ <rebuild>", made empty by the first batch that finds none. An item without it goes to the newest
    group of its campaign; to that of the settings as long as there is none of a rebuild. So no batch need know whether
    it is the first, and a repeated one finds what it made.

    An item to remove names the emptying in the same way: groups that were made before it are deleted, later ones stay.
    """

    def __init__(self, settings: LineAudienceSettings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        bearer = {"Authorization": f"Bearer {reveal(settings.access_token)}"}
        self._channel = HttpChannel(
            settings.base_url, headers=bearer, repeats_safely=True, timeout_seconds=settings.timeout_seconds
        )
        self._settings = settings
        self._sleep = sleep
        self._lock = Lock()
        self._groups: dict[tuple[str, str | None], int] = {}

    def deliver(self, batch: Batch, *, idempotency_key: str) -> Receipt:
        """The group's id for everybody who is in it once the channel's job is over; no id for who is in none now."""
        if batch.operation == "remove":
            return self._emptied(batch)
        if batch.operation != "add":
            raise Refused(f"LINE cannot {batch.operation}: the whole audience is added to a new group instead")
        users = list(dict.fromkeys(item.address for item in batch.items if is_user_id(item.address)))
        group, failure = 0, ""
        if users:
            group = self._group(batch)
            self._add(group, users, idempotency_key)
            failure = self._failure_after(group, idempotency_key)
        return Receipt(
            tuple(
                Outcome(item.intent_id, "rejected", "not_a_line_user_id")
                if not is_user_id(item.address)
                else Outcome(item.intent_id, "rejected", failure)
                if failure
                else Outcome(item.intent_id, "accepted", provider_id=str(group))
                for item in batch.items
            )
        )

    def close(self) -> None:
        """Let go of connections."""
        self._channel.close()

    def _emptied(self, batch: Batch) -> Receipt:
        """Accepted where no group is left that the items could be in; rejected where it is one of the settings."""
        moments = {item.person.get("rebuild") for item in batch.items}
        if None in moments:
            raise Refused("LINE cannot remove single members: the whole audience is added to a new group instead")
        own = self._settings.audience_group_id
        with self._lock:
            old = self._made_before(batch.campaign, max(filter(None, moments)))
            for place, group in enumerate(one for one in old if one != own):
                if place:
                    self._sleep(_BETWEEN_DELETIONS_SECONDS)
                self._delete(group)
            self._groups = {key: group for key, group in self._groups.items() if key[0] != batch.campaign}
        log.info("campaign=%s groups_made_before=%s", batch.campaign, len(old))
        if own is None:
            return Receipt(tuple(Outcome(item.intent_id, "accepted") for item in batch.items))
        reason = (
            f"LINE takes nobody out of group {own}, which audience_group_id names: delete it at LINE, and set another"
        )
        return Receipt(tuple(Outcome(item.intent_id, "rejected", reason) for item in batch.items))

    def _made_before(self, campaign: str, moment: str) -> list[int]:
        """Ids of the campaign's groups that are older than a moment in UTC, or that the channel gives no age of.

        A rebuild's group was planned when its name says; of the others the channel knows when they were made.
        """
        end = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
        old = []
        for group in self._listed(campaign):
            planned = str(group.get("description")).partition(" @ ")[2]
            is_old = planned < moment if planned else int(group.get("created") or 0) < end
            if _is_of(campaign, group) and is_old:
                old.append(int(group["audienceGroupId"]))
        return old

    def _delete(self, group: int) -> None:
        """The group is gone, whoever deleted it."""
        path = f"/v2/bot/audienceGroup/{group}"
        reply = self._channel.request("DELETE", path, sees=(_BAD_REQUEST, _NOT_FOUND))
        if reply.status == _BAD_REQUEST and not _is_gone(reply):
            raise Rejected("HTTP 400")

    def _group(self, batch: Batch) -> int:
        """The id of the group that the batch belongs to; batches of several threads get the same."""
        rebuilds = {item.person.get("rebuild") for item in batch.items}
        if len(rebuilds) > 1:
            raise Rejected("the batch mixes items of several rebuilds")
        (rebuild,) = rebuilds
        own = self._settings.audience_group_id if rebuild is None else None
        with self._lock:
            key = (batch.campaign, rebuild)
            if key not in self._groups:
                found = self._found(batch.campaign, rebuild) or own
                self._groups[key] = found or self._made(batch.campaign, rebuild)
            return self._groups[key]

    def _found(self, campaign: str, rebuild: str | None) -> int | None:
        """Of the rebuild's group, or of the newest where none is named; of two with one name, the one made first.

        Where the settings name the group that the list began with, only that of a rebuild takes its place.
        """
        ids: dict[str, int] = {}
        for group in self._listed(campaign):
            name = str(group.get("description")).casefold()
            if _is_of(campaign, group) and group.get("status") != "EXPIRED":
                group_id = int(group["audienceGroupId"])
                ids[name] = min(ids.get(name, group_id), group_id)
        if rebuild is not None:
            return ids.get(_name(campaign, rebuild).casefold())
        if self._settings.audience_group_id is not None:
            ids.pop(campaign.casefold(), None)
        return ids[max(ids)] if ids else None

    def _listed(self, campaign: str) -> Iterator[Mapping[str, Any]]:
        page = 1
        while True:
            query = {"page": page, "description": campaign, "size": _PAGE_SIZE, "createRoute": "MESSAGING_API"}
            reply = self._channel.request("GET", "/v2/bot/audienceGroup/list", params=query)
            yield from reply.fields.get("audienceGroups", [])
            if not reply.fields.get("hasNextPage"):
                return
            page += 1

    def _made(self, campaign: str, rebuild: str | None) -> int:
        body = {"description": _name(campaign, rebuild), "isIfaAudience": False, "audiences": []}
        group_id = self._channel.request("POST", _UPLOAD, json=body).fields.get("audienceGroupId")
        if not isinstance(group_id, int):
            said = "the channel made a group and does not name it; it will be looked up"
            raise Retryable(said, nothing_taken=True)
        return group_id

    def _add(self, group: int, users: list[str], key: str) -> None:
        body = {"audienceGroupId": group, "uploadDescription": key, "audiences": [{"id": user} for user in users]}
        reply = self._channel.request("PUT", _UPLOAD, sees=(_BAD_REQUEST,), json=body)
        if _is_gone(reply):
            raise Refused(f"group {group} is gone; check audience_group_id")
        if reply.status == _BAD_REQUEST:
            raise Rejected("HTTP 400")

    def _failure_after(self, group: int, key: str) -> str:
        """As `_failure`; whatever a look at the job meets with, the channel has the users."""
        try:
            return self._failure(group, key)
        except Retryable as problem:
            raise Retryable(str(problem), problem.retry_after_seconds) from None

    def _failure(self, group: int, key: str) -> str:
        """Why the job of that key failed; empty where it is over and has not. Raises Unsure when it takes too long."""
        for look in range(self._settings.polls):
            if look:
                self._sleep(self._settings.poll_seconds)
            state = self._channel.request("GET", f"/v2/bot/audienceGroup/{group}").fields
            jobs = [job for job in state.get("jobs", []) if job.get("description") == key]
            newest = max(jobs, key=lambda job: int(job["audienceGroupJobId"]), default=None)
            entry = newest or state.get("audienceGroup", {})
            status = entry.get("jobStatus" if newest else "status")
            if status == _FAILED and entry.get("failedType") == "INTERNAL_ERROR":
                raise Retryable("the channel's job failed: INTERNAL_ERROR")
            if status == _FAILED:
                return str(entry.get("failedType"))
            if status in _DONE:
                return ""
        raise Unsure(f"the channel's job was not over after {self._settings.polls} looks")


def _is_of(campaign: str, group: Mapping[str, Any]) -> bool:
    """Whether the group is the campaign's, of whichever rebuild; names differ in case only."""
    return str(group.get("description")).casefold().split(" @ ")[0] == campaign.casefold()


def _is_gone(reply: Reply) -> bool:
    return "AUDIENCE_GROUP_NOT_FOUND" in {fault.get("message") for fault in reply.fields.get("details", [])}


def _name(campaign: str, rebuild: str | None) -> str:
    name = campaign if rebuild is None else f"{campaign} @ {rebuild}"
    if len(name) > _LONGEST_NAME:
        raise Refused(f"the audience's name has {len(name)} characters; LINE bears {_LONGEST_NAME}")
    return name


KIND = ConnectorKind(
    name="line_audience",
    channel="line",
    mode="audience",
    settings=LineAudienceSettings,
    build=LineAudience,
    limits=Limits(batch_size=10_000, per_second=0.25),
    operations=("add", "remove"),
    is_idempotent=True,
    is_rebuilt=True,
    doc="LINE audiences; who leaves is left out of a new group, but stays in the old one until somebody deletes that "
    "at LINE; when nobody is left all are deleted",
    unverified=(
        "a group may be made empty and filled afterwards",
        "a group that has just been made is listed at once",
        "a failed job added nobody",
        "a group that is gone answers DELETE with 404, or 400 AUDIENCE_GROUP_NOT_FOUND as it answers GET",
        "a group can be deleted while it is filled, and a narrowcast that is under way to it may go on",
    ),
)
