"""Hands what engines are spoken to with over to the discovery process: the control process forgets it then. Pure, but for the channel."""

from __future__ import annotations

from haystack.discovery.apart import messages
from haystack.discovery.apart.values import values
from haystack.settings.settings import SECRET, Settings, variable
from haystack.startup import secrets
from haystack.startup.keeper import Keeper

FORGOTTEN = "known to the discovery process alone"  # in place of a secret that is set


def handed_over(settings: Settings, keeper: Keeper) -> Settings:
    """Tell the discovery process; the settings as they are from then on, without the engines' key."""
    keeper.instruct(messages.packed(messages.Setup(values(settings))))
    secrets.forget(variable(field) for field in SECRET)
    return settings.model_copy(update={"docker_key": FORGOTTEN}) if settings.docker_key else settings
