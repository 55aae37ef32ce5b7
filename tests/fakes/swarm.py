"""A fake engine that manages a Swarm: services, tasks and nodes, as its API tells them. Each call counts in `asked`.

What is told is kept as text, element by element: with thousands of tasks, only what was changed is written anew.
"""

import json
from collections import Counter

from tests.fakes.engine import FakeEngine, rfc3339

CLUSTER = "cluster0000000000000000000"
OVERLAY, INGRESS = "overlay00000000000000000", "ingress00000000000000000"


def ident(kind, number):
    """25 letters and digits, as a Swarm has them."""
    return f"{kind}{number:0{25 - len(kind)}d}"


def container_id(number):
    return f"{number:064x}"[::-1]


def network(identity=OVERLAY, name="shop", subnet="10.0.1.0/24", **more):
    made = {"Id": identity, "Name": name, "Scope": "swarm", "Driver": "overlay", "Attachable": True, "Ingress": False}
    return made | {"IPAM": {"Config": [{"Subnet": subnet}]}} | more


class FakeSwarm(FakeEngine):
    def __init__(self, node="node", manager=True):
        super().__init__()
        self.services, self.nodes, self.tasks = {}, {}, {}
        self.asked = Counter()
        self.networks.append(network())
        self.at = ident(node, 1)
        self.info |= {"Swarm": {"NodeID": self.at, "LocalNodeState": "active", "ControlAvailable": manager, "Cluster": {"ID": CLUSTER}}}

    def same_as(self, other):
        """Another manager of the same Swarm."""
        self.services, self.nodes, self.tasks, self.images = other.services, other.nodes, other.tasks, other.images
        return self

    def add_node(self, number=1, name="n1", address="127.0.0.1", state="ready", kind="node", **more):
        raw = {"ID": ident(kind, number), "Description": {"Hostname": name}, "Status": {"State": state, "Addr": address}}
        self.nodes[raw["ID"]] = json.dumps(raw | more, separators=(",", ":"))
        return raw["ID"]

    def add_service(
        self, number, name, image="nginx:latest", *, replicas=1, labels=None, container=None, ports=(), mode=None, env=(), **more
    ):
        spec = {"ContainerSpec": {"Image": image, "Labels": container or {}, "Env": ["SECRET=hunter2", *env]}}
        raw = {
            "ID": ident("service", number),
            "Spec": {"Name": name, "Labels": labels or {}, "TaskTemplate": spec, "Mode": mode or {"Replicated": {"Replicas": replicas}}},
            "Endpoint": {"Ports": list(ports)},
        }
        self.services[raw["ID"]] = json.dumps(raw | more, separators=(",", ":"))
        self.emit("update", raw["ID"], kind="service", name=name)
        return raw["ID"]

    def add_task(self, number, service, *, node=None, slot=1, state="running", desired="running", address="10.0.1.5/24", **more):
        spec = json.loads(self.services[service])["Spec"]["TaskTemplate"]
        status = {"State": state, "Timestamp": rfc3339(1_700_000_000), "PortStatus": {"Ports": more.pop("ports", [])}}
        status |= {"ContainerStatus": {"ContainerID": container_id(number)}} if state in ("running", "shutdown", "complete") else {}
        status |= more.pop("status", {})
        places = [{"Network": {"ID": OVERLAY, "Spec": {"Name": "shop"}}, "Addresses": [address]}] if address else []
        raw = {
            "ID": ident("task", number),
            "ServiceID": service,
            "NodeID": node or self.at,
            "Slot": slot,
            "Spec": spec,
            "Status": status,
            "DesiredState": desired,
            "NetworksAttachments": places,
        }
        self.tasks[raw["ID"]] = json.dumps(raw | more, separators=(",", ":"))
        return raw["ID"]

    def more(self, path, query):
        self.asked[path] += 1
        filters = json.loads(query.get("filters", ["{}"])[0])
        if path == "/tasks":
            wanted = filters.get("id")
            if wanted:
                return _list(self.tasks[i] for i in wanted if i in self.tasks)
            desired = tuple(f'"DesiredState":"{each}"' for each in filters["desired-state"])
            return _list(text for text in self.tasks.values() if any(each in text for each in desired))
        if path == "/networks" and filters:
            return json.dumps([each for each in self.networks if each["Scope"] in filters["scope"]]).encode()
        held = {"/services": self.services, "/nodes": self.nodes}.get(path)
        return _list(held.values()) if held is not None else None


def _list(texts):
    return f"[{','.join(texts)}]\n".encode()
