"""What a wrong word was meant to be: the nearest command, or the one that does here what that word does elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from haystack.model import spelling

# words of Docker, Unix, HAProxy and others → what does that here
ELSEWHERE = {
    "ps": "containers", "ls": "services", "list": "services", "show": "services", "status": "services", "stat": "top", "stats": "top",
    "htop": "top", "info": "services", "inspect": "service", "nslookup": "dig", "host": "dig", "resolve": "dig", "curl": "probe",
    "wget": "probe", "get": "probe", "test": "probe", "why": "explain", "route": "explain", "routes": "explain", "logs": "tail",
    "watch": "tail", "follow": "tail", "history": "events", "what": "events", "disable": "drain", "stop": "drain", "maintenance": "drain",
    "enable": "undrain", "start": "undrain", "resume": "undrain", "settings": "config", "env": "config", "set": "config",
    "servers": "endpoints", "backends": "services", "upstreams": "endpoints", "hosts": "services", "dockers": "engines", "nodes": "engines",
    "man": "help", "bye": "exit", "logout": "exit", "q": "exit", "certificates": "certs", "members": "peers", "cluster": "peers",
    "loglevel": "log", "debug": "log",
}  # fmt: skip
SHORTEST = 2  # letters of a beginning that tells what was meant
ALIKE = 0.8  # of two words, so that one may be the other misspelt


def suggested(wrong: str, known: Iterable[str]) -> str:
    """``; did you mean X?``, or where all are listed."""
    names = list(known)
    begun = [name for name in names if name.startswith(wrong)] if len(wrong) >= SHORTEST else []
    other = ELSEWHERE.get(wrong, "")
    near = (other if other in names else "") or (begun[0] if len(begun) == 1 else "") or spelling.nearest(wrong, names)
    if not near:
        near = ELSEWHERE.get(spelling.nearest(wrong, [word for word in ELSEWHERE if word[0] == wrong[:1]], ALIKE), "")
    return f"; did you mean {near}?" if near else "; help lists them"
