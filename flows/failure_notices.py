"""Who is told when a scheduled run fails: an automation of Prefect's, owned by the deployment, calls a webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flows.run_names import artifact_key

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

PAYLOAD: Final = '{"text": {{ (flow_run.name ~ ": " ~ flow_run.state.message ~ " " ~ (flow_run|ui_url)) | tojson }}}'
"""What chat programs take (Slack, Mattermost): one text. A template that Prefect's server fills in."""

RUN_FAILED: Final = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}


def notify_of_failures(client: SyncPrefectClient, name: str, deployment_id: UUID, url: str) -> None:
    """Call `url` (kept as a secret, in a block) when a run of the schedule `name` fails or crashes."""
    from prefect.automations import (  # noqa: PLC0415 - heavy, and after the settings
        AutomationCore,
        CallWebhook,
        EventTrigger,
        Posture,
        ResourceSpecification,
    )
    from prefect.blocks.webhook import Webhook  # noqa: PLC0415 - as above

    settings: dict[str, Any] = {"url": url, "headers": {"content-type": "application/json"}}
    block_id: Any = Webhook(**settings).save(_block_name(name), overwrite=True)
    trigger = EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification({"prefect.resource.id": _resource(deployment_id)}),
        expect=RUN_FAILED,
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
    )
    client.create_automation(
        AutomationCore(
            name=f"{name} failed",
            description=f"Calls a webhook when a run of the schedule {name} fails.",
            trigger=trigger,
            actions=[CallWebhook(block_document_id=block_id, payload=PAYLOAD)],
            owner_resource=_resource(deployment_id),
        )
    )


def forget_notices(client: SyncPrefectClient, name: str, deployment_id: UUID) -> None:
    """Delete what `notify_of_failures` made, if it did."""
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415 - as above

    client.delete_resource_owned_automations(_resource(deployment_id))
    try:
        block = client.read_block_document_by_name(_block_name(name), "webhook")
    except ObjectNotFound:
        return
    client.delete_block_document(block.id)


def _resource(deployment_id: UUID) -> str:
    return f"prefect.deployment.{deployment_id}"


def _block_name(name: str) -> str:
    return artifact_key("markupmill", name)
