"""Types of the settings that several have: what each takes is checked as it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from haystack.net import access
from haystack.net.access import Allowed
from haystack.settings import addresses, balance, parsers
from haystack.settings.parsers import Texts

Port = Annotated[int, BeforeValidator(parsers.port)]
Count = Annotated[int, BeforeValidator(parsers.count(10_000_000))]
Switch = Annotated[bool, BeforeValidator(parsers.switch)]
Folder = Annotated[Path, BeforeValidator(parsers.path)]
Pem = Annotated[str, BeforeValidator(parsers.pem)]
Addresses = Annotated[Texts, NoDecode, BeforeValidator(addresses.addresses)]
Balance = Annotated[str, BeforeValidator(balance.read)]
Time = Annotated[float, BeforeValidator(parsers.duration(0.01, 86400))]
TimeOrOff = Annotated[float, BeforeValidator(parsers.duration(0.01, 86400, off=True))]
Clients = Annotated[Allowed, NoDecode, BeforeValidator(access.read)]
Level = Literal["debug", "info", "warning", "error", "critical"]
