"""Patience with admission webhooks: the API server may not reach one yet that is already up."""

from __future__ import annotations

import asyncio
import re

import pulumi

# What the API server says while a webhook's endpoints or certificate have not reached it. The object was not made.
NOT_YET = re.compile(r"failed calling webhook|conversion webhook .* failed|no endpoints available for service")
ATTEMPTS = 30
LONGEST_PAUSE = 5.0


async def retry_while_unanswered(failure: pulumi.ErrorHookArgs) -> bool:
    """Pause, then have the engine try again; False for any other error, and after ATTEMPTS (about two minutes)."""
    if not (failure.errors and NOT_YET.search(failure.errors[0])) or len(failure.errors) >= ATTEMPTS:
        return False
    await asyncio.sleep(min(0.25 * 2 ** len(failure.errors), LONGEST_PAUSE))
    return True


def patient(name: str) -> pulumi.ResourceHookBinding:
    """The hooks of resources that a webhook looks at; `name` is unique in the program."""
    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(name, retry_while_unanswered)])
