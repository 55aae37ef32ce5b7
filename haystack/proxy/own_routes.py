"""A worker's ways to Haystack itself: who may see the web side is led there, and everybody to where its health is told."""

from __future__ import annotations

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member, Route
from haystack._fast.routing.router import Router
from haystack._fast.worker.worker_state import WorkerState
from haystack.model.service_options import ServiceOptions
from haystack.net.rights import Right
from haystack.proxy.ipc import Setup
from haystack.proxy.worker_routes import Routes
from haystack.routing.rows import ADMIN

ITSELF = "haystack"  # the name that its routes go by: no service has it
OPTIONS = ServiceOptions(timeout=30.0)
FEW = 16  # one of so many connections to the control process is for those who may only ask for its health


def add(setup: Setup, worker: WorkerState, routes: Routes) -> None:
    """Lead requests to Haystack itself to the control process."""
    few = max(1, setup.admin_connections // FEW) if setup.admin_connections else 0
    if setup.proof_socket:
        routes.add_proofs(_route(setup.proof_socket, few, 0))
    if not setup.admin_socket:
        return
    health = _route(setup.health_socket, few, 0) if setup.health_socket else None
    admin = _route(setup.admin_socket, max(1, setup.admin_connections - few) if few else 0, Right.ADMIN)
    if setup.admin_apart:
        closed = _route(setup.admin_socket, few, Right.NOBODY)
        worker.set_apart(setup.listeners.index(ADMIN), _own_names(setup, admin, closed))
        admin = closed
    routes.add_itself(admin, setup.admin_hosts, health)


def _own_names(setup: Setup, admin: Route, closed: Route) -> Router:
    """The rules of a listener of its own.

    A name that is not Haystack's leads to health alone: a page on the internet may have had its own name lead here (DNS rebinding).
    """
    own = Router()
    for host in setup.admin_hosts:
        own.put(host.encode(), b"/", (admin,))
    own.fall_back(admin, closed)
    return own


def _route(path: str, connections: int, guard: int) -> Route:
    """To a socket of the control process, for those with this right. connections: at once; 0: any number."""
    member = Member(Endpoint(ITSELF, path), ITSELF, 0)
    member.endpoint.hold(member, connections)
    route = Route(ITSELF, pickers.make("random", [member], [100]), OPTIONS)
    route.guard, route.own = guard, True
    return route
