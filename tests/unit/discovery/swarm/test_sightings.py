"""The lists of engines and of their Swarm as one: each container once, by whoever knows it best."""

import pytest
from msgspec.structs import replace

from haystack.discovery.swarm.answers import Port
from haystack.discovery.swarm.facts import Facts
from haystack.discovery.swarm.merging import overlaid
from haystack.discovery.swarm.picture import Picture, Place
from haystack.discovery.swarm.sightings import Sightings
from haystack.model import ports
from haystack.model.listed import Listed
from haystack.model.records import Attachment, Container, Engine, Listing, Options

NODES = {f"n{number}": Place(id=f"n{number}", name=f"node{number}", address=f"10.77.0.{number}") for number in (1, 2, 3)}
HTTP = (ports.named(80, "tcp"),)


class Sink:
    """Keeps what each source lists now."""

    def __init__(self):
        self.lists, self.errors, self.told = {}, {}, []

    def replace(self, source, listing):
        self.lists[source] = {c.id: c for c in listing.containers}
        self.told.append(source)

    def failed(self, source, error):
        self.errors[source] = error

    def outdated(self, source, listing):
        self.lists[source] = {c.id: c for c in listing.containers}

    def withdraw(self, source):
        self.lists.pop(source, None)

    def where(self, container):
        return [source for source, found in self.lists.items() if container.id in found]


def made(number, service="web", node="", **more):
    """A task's container."""
    task = f"{number:025d}"
    more = {"services": (f"{service}.nginx",), "image_name": "nginx", "ports": HTTP, "address": f"10.0.1.{number}"} | more
    return Container(id=f"{number:064x}"[::-1], name=f"{service}.{number}.{task}", engine=node, **more)


def listing(node, *containers):
    engine = Engine(id=f"engine of {node}", name=node, host="tcp://x", address="10.77.0.9", remote=True, node=node)
    return Listing(engine=engine, containers=Listed.of(containers))


def picture(*tasks, **more):
    services = {"web": Facts(service="s1", name="web", image_name="nginx", ports=HTTP, services=("web.nginx",))}
    return Picture(**{"containers": Listed.of(tasks), "services": services, "nodes": NODES} | more)


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def sightings(sink):
    return Sightings("swarm").before(sink)


def test_tasks_of_nodes_that_nobody_watches_are_listed_by_managers(sightings, sink):
    here, there = made(1, node="n1"), made(2, node="n2")
    sightings.replace("e1", listing("n1", replace(here, engine="e1")))
    sightings.take(picture(here, there))
    assert (sink.where(here), sink.where(there)) == (["e1"], ["swarm"])


def test_whoever_lists_first_it_is_listed_once(sightings, sink):
    here, there = made(1, node="n1"), made(2, node="n2")
    sightings.take(picture(here, there))
    assert (sink.where(here), sink.where(there)) == (["swarm"], ["swarm"])
    sightings.replace("e1", listing("n1", here))
    assert (sink.where(here), sink.where(there)) == (["e1"], ["swarm"])


def test_a_watched_engine_s_word_counts_that_a_container_has_gone(sightings, sink):
    here = made(1, node="n1")
    sightings.replace("e1", listing("n1", here))
    sightings.take(picture(here))
    sightings.replace("e1", listing("n1"))
    assert sink.where(here) == []


def test_managers_say_who_is_there_while_an_engine_does_not_answer(sightings, sink):
    old, new = made(1, node="n1"), made(2, node="n1")
    sightings.replace("e1", listing("n1", old))
    sightings.take(picture(old))
    sightings.failed("e1", "connection refused")
    assert sink.errors == {"e1": "connection refused"}
    assert sink.where(old) == ["e1"]
    sightings.take(picture(new, ended=frozenset({old.id})))
    assert (sink.where(old), sink.where(new)) == ([], ["swarm"])
    sightings.replace("e1", listing("n1", new))
    assert sink.where(new) == ["e1"]


def test_an_engine_that_does_not_answer_is_not_told_to_do_so_by_what_managers_say(sightings, sink):
    seen = made(1, node="n1")
    sightings.replace("e1", listing("n1", seen))
    sightings.take(picture(seen))
    sightings.failed("e1", "connection refused")
    told = list(sink.told)
    sightings.take(picture(replace(seen, state="stopping")))
    sightings.silence({"n1": "away"})
    assert (sink.lists["e1"][seen.id].state, sink.lists["e1"][seen.id].lost) == ("stopping", "away")
    assert "e1" not in sink.told[len(told) :]


def test_a_container_that_has_ended_stays_so_when_managers_remember_it_no_more(sightings, sink):
    seen = made(1, node="n1")
    sightings.replace("e1", listing("n1", seen))
    sightings.take(picture(seen))
    sightings.failed("e1", "connection refused")
    sightings.take(picture(ended=frozenset({seen.id})))
    sightings.take(picture())
    sightings.silence({"n1": "away"})
    assert sink.where(seen) == []
    sightings.take(picture(seen))
    assert sink.where(seen) == ["e1"]


def test_a_service_is_stood_for_when_its_last_task_has_ended_where_no_engine_answers(sightings, sink):
    nobody = Container(id="f" * 64, name="web", engine="", state="absent", services=("web.nginx",), address="0.0.0.0")
    seen = made(1, node="n1")
    sightings.replace("e1", listing("n1", seen))
    sightings.take(picture(seen))
    sightings.failed("e1", "connection refused")
    sightings.take(picture(absent={"web": nobody}, ended=frozenset({seen.id})))
    assert (sink.where(seen), sink.where(nobody)) == ([], ["swarm"])
    sightings.replace("e1", listing("n1", seen))
    assert (sink.where(seen), sink.where(nobody)) == (["e1"], [])


def test_managers_alone_say_who_is_there_once_an_engine_has_not_answered_for_long(sightings, sink):
    task, plain = made(1, node="n1"), replace(made(2, node="n1"), name="plain")
    sightings.replace("e1", listing("n1", task, plain))
    sightings.take(picture(task))
    sightings.failed("e1", "connection refused")
    sightings.outdated("e1", listing("n1", *(replace(each, state="lost") for each in (task, plain))))
    assert (sink.where(task), sink.where(plain)) == (["swarm"], ["e1"])
    assert sink.lists["swarm"][task.id].state == "running"
    assert sink.lists["e1"][plain.id].state == "lost"
    sightings.replace("e1", listing("n1", task, plain))
    assert (sink.where(task), sink.where(plain)) == (["e1"], ["e1"])


def test_labels_names_and_ports_of_the_service_are_its_containers_too(sightings, sink):
    facts = Facts(
        service="s1", name="web", image_name="nginx", options=Options(weight=7, port=9000, name="shop"), ports=(ports.named(9000, "tcp"),),
        ingress=(Port(target_port=80, published_port=8080),),
    )  # fmt: skip
    seen = made(1, node="n1", options=Options(weight=9), remote=True)
    sightings.replace("e1", listing("n1", seen))
    assert sink.lists["e1"][seen.id] is seen
    sightings.take(picture(services={"web": facts}))
    (found,) = sink.lists["e1"].values()
    assert (found.options.weight, found.options.port, found.services) == (9, 9000, ("shop",))
    assert [p.number for p in found.ports] == [80, 9000]
    assert [(p.place, p.ingress) for p in found.published] == [("10.77.0.9:8080", True)]


@pytest.mark.parametrize("remote", [True, False])
def test_a_port_that_all_nodes_publish_is_at_haystacks_own_node_too(sightings, sink, remote):
    facts = Facts(service="s1", name="web", image_name="nginx", ingress=(Port(target_port=80, published_port=8080),))
    seen = made(1, node="n1", remote=remote)
    sightings.replace("e1", listing("n1", seen))
    sightings.take(picture(services={"web": facts}))
    (found,) = sink.lists["e1"].values()
    assert [(p.place, p.ingress) for p in found.published] == [("10.77.0.9:8080", True)]


def test_a_task_asks_for_what_its_service_does_where_it_asks_for_nothing_itself():
    mine, service = Options(weight=9, health={"path": "/a"}), Options(weight=7, hosts=("a.example",), health={"path": "/b", "port": "81"})
    assert overlaid(mine, service) == Options(weight=9, hosts=("a.example",), health={"path": "/a", "port": "81"})
    assert overlaid(Options(), service) is service
    assert overlaid(mine, Options()) is mine


def test_the_network_that_a_service_asks_for(sightings, sink):
    places = (Attachment(network="a", ipv4="10.0.1.9"), Attachment(network="b", ipv4="10.0.2.9"))
    seen = made(1, node="n1", attachments=places, network="a", address="10.0.1.9")
    facts = Facts(service="s1", name="web", image_name="nginx", options=Options(network="b"))
    sightings.replace("e1", listing("n1", seen))
    sightings.take(picture(replace(seen, options=facts.options), services={"web": facts}))
    assert sink.lists["e1"][seen.id].address == "10.0.2.9"


def test_jobs_are_in_no_service(sightings, sink):
    seen = made(1, node="n1")
    sightings.replace("e1", listing("n1", seen))
    sightings.take(picture(services={"web": Facts(service="s1", name="web", job=True)}))
    assert sink.lists["e1"][seen.id].services == ()


def test_a_task_drains_as_soon_as_managers_say_so(sightings, sink):
    seen = made(1, node="n1")
    sightings.replace("e1", listing("n1", seen))
    sightings.take(picture(replace(seen, state="stopping", state_reason="its task is to shut down", since=5.0)))
    assert sink.lists["e1"][seen.id].state == "stopping"


def test_what_stands_for_a_service_goes_when_an_engine_has_a_task_of_it(sightings, sink):
    nobody = Container(id="f" * 64, name="web", engine="", state="absent", services=("web.nginx",), address="0.0.0.0")
    seen = made(1, node="n1", ports=(ports.named(8080, "tcp"),))
    sightings.replace("e1", listing("n1"))
    sightings.take(picture(absent={"web": nobody}))
    assert sink.where(nobody) == ["swarm"]
    sightings.replace("e1", listing("n1", seen))
    assert sink.where(nobody) == []
    sightings.replace("e1", listing("n1"))
    assert sink.where(nobody) == ["swarm"]
    # what its tasks listened on is known still
    assert [p.number for p in sink.lists["swarm"][nobody.id].ports] == [8080]
    sightings.take(picture())
    assert sink.where(nobody) == []


def test_tasks_of_a_silent_node_say_so_whoever_lists_them(sightings, sink):
    here, there, other = made(1, node="n1"), made(2, node="n2"), made(3, node="n3")
    sightings.replace("e1", listing("n1", here))
    sightings.take(picture(here, there, other))
    sightings.silence({"n1": "away", "n2": "away too"})
    assert sink.lists["e1"][here.id].lost == "away"
    assert [sink.lists["swarm"][c.id].lost for c in (there, other)] == ["away too", ""]
    sightings.silence({})
    assert {c.lost for found in sink.lists.values() for c in found.values()} == {""}


def test_nothing_is_told_where_nothing_has_changed(sightings, sink):
    here, there = made(1, node="n1"), made(2, node="n2")
    sightings.replace("e1", listing("n1", here))
    sightings.take(picture(here, there))
    before = sink.lists["swarm"][there.id]
    sightings.silence({})
    told = list(sink.told)
    sightings.replace("e1", listing("n1", here))
    assert sink.told == [*told, "e1"]
    assert sink.lists["swarm"][there.id] is before


def test_an_engine_of_no_swarm_is_passed_on_as_it_is(sightings, sink):
    plain = listing("", made(1))
    sightings.replace("e1", plain)
    assert sink.lists["e1"] == {c.id: c for c in plain.containers}


def test_an_engine_of_no_swarm_that_stops_answering_keeps_its_list(sightings, sink):
    sightings.replace("e1", listing("", made(1)))
    sightings.failed("e1", "connection refused")
    assert (sink.told, sink.where(made(1)), sink.errors) == (["e1"], ["e1"], {"e1": "connection refused"})


def test_an_engine_that_left_its_swarm_keeps_its_list_too(sightings, sink):
    task, plain = made(1, node="n1"), replace(made(2, node="n1"), name="plain")
    sightings.replace("e1", listing("n1", task, plain))
    sightings.take(picture(task, ended=frozenset({task.id})))
    for _ in range(2):
        sightings.replace("e1", listing("", task, plain))
    told = list(sink.told)
    sightings.failed("e1", "connection refused")
    sightings.take(picture(ended=frozenset({task.id})))
    assert [source for source in sink.told[len(told) :] if source == "e1"] == []
    assert (sink.where(task), sink.where(plain)) == (["e1"], ["e1"])


def test_managers_say_who_is_on_a_node_again_whose_engine_left_its_swarm(sightings, sink):
    task = made(1, node="n1")
    sightings.replace("e1", listing("n1", task))
    sightings.take(picture(task))
    sightings.replace("e1", listing(""))
    assert sink.where(task) == ["swarm"]


def test_managers_are_asked_when_tasks_come_and_go(sightings):
    asked = []
    sightings.poke = lambda: asked.append(1)
    seen = made(1, node="n1")
    sightings.replace("e1", listing("n1", seen))
    assert len(asked) == 1
    sightings.replace("e1", listing("n1", seen))
    sightings.replace("e1", listing("n1", replace(seen, health="healthy")))
    assert len(asked) == 1
    sightings.replace("e1", listing("n1"))
    sightings.failed("e1", "away")
    assert len(asked) == 3


def test_when_the_swarm_is_left_its_list_goes(sightings, sink):
    here, there = made(1, node="n1"), made(2, node="n2")
    sightings.replace("e1", listing("n1", here))
    facts = Facts(service="s1", name="web", image_name="nginx", options=Options(weight=7))
    sightings.take(picture(replace(here, options=facts.options), there, services={"web": facts}))
    assert sink.lists["e1"][here.id].options.weight == 7
    sightings.dissolve()
    assert (sink.where(here), sink.where(there)) == (["e1"], [])
    assert sink.lists["e1"][here.id].options.weight is None


def twice(sightings, *containers):
    """The lists of one engine that DOCKER_HOST names twice, as deploy/stack.yml may: by its socket, and by its address."""
    for source in ("e1", "e2"):
        sightings.replace(source, listing("n1", *containers))


def test_a_container_of_an_engine_that_is_named_twice_goes_from_both_lists(sightings, sink):
    seen = made(1, node="n1")
    sightings.take(picture(seen))
    twice(sightings, seen)
    twice(sightings, replace(seen, health="healthy"))
    assert sink.where(seen) == ["e1", "e2"]
    twice(sightings)
    assert sink.where(seen) == []


def test_labels_of_a_service_count_in_both_lists_of_an_engine_that_is_named_twice(sightings, sink):
    seen = made(1, node="n1")
    twice(sightings, seen)
    facts = Facts(service="s1", name="web", image_name="nginx", options=Options(weight=7))
    sightings.take(picture(replace(seen, options=facts.options), services={"web": facts}))
    assert [sink.lists[source][seen.id].options.weight for source in ("e1", "e2")] == [7, 7]


def test_a_container_that_is_renamed_is_of_its_new_service_alone(sightings, sink):
    seen = made(1, node="n1")
    nobody = Container(id="f" * 64, name="web", engine="", state="absent", services=("web.nginx",), address="0.0.0.0")
    twice(sightings, seen)
    sightings.take(picture(seen, absent={"web": nobody}))
    assert sink.where(nobody) == []
    twice(sightings, replace(seen, name="plain"))
    assert sink.where(nobody) == ["swarm"]


def test_another_image_of_a_service_listens_elsewhere(sightings, sink):
    old, new = made(1, node="n1", image="shop:1"), made(2, node="n2", image="shop:2", ports=(ports.named(8080, "tcp"),))
    sightings.replace("e1", listing("n1", old))
    sightings.take(picture(new))
    assert [p.number for p in sink.lists["swarm"][new.id].ports] == [8080]
    # what a manager does not know of the first one is known of the engine that ran it
    other = replace(made(3, node="n2", image="shop:1"), ports=())
    sightings.take(picture(new, other))
    assert [p.number for p in sink.lists["swarm"][other.id].ports] == [80]


def test_while_a_service_is_updated_each_task_is_as_its_own_spec_says(sightings, sink):
    old = made(1, node="n1")
    before = Facts(service="s1", name="web", image_name="nginx", ports=HTTP)
    after = replace(before, ports=(ports.named(8080, "tcp"),))
    sightings.replace("e1", listing("n1", old))
    sightings.take(picture(old, services={"web": before}, made={old.id: before}))
    sightings.take(picture(old, services={"web": after}, made={old.id: before}))
    assert [port.number for port in sink.lists["e1"][old.id].ports] == [80]
    sightings.take(picture(old, services={"web": after}, made={old.id: after}))
    assert [port.number for port in sink.lists["e1"][old.id].ports] == [80, 8080]
