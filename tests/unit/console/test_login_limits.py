"""Who may begin a login to the shell, however many strangers are at the door."""

import pytest

from haystack.console.login_limits import ALL, BURST, BURST_IN_ALL, KNOWN, LONG, PER_SECOND, SHARE, SILENT, Admission, counted


class Door:
    """Begins logins at a time that the test sets, and remembers who was made to leave. Clients speak, unless they are silent."""

    def __init__(self):
        self.admission, self.now, self.evicted = Admission(), 1000.0, []

    def begin(self, peer, *, silent=False):
        login = self.admission.begin(peer, self.now, lambda: self.evicted.append(peer))
        if login:
            login.spoken = lambda: not silent
        return login


def stranger(number):
    return f"198.51.{number // 250}.{number % 250}"


def test_one_address_has_its_share_and_no_more():
    door = Door()
    logins = [door.begin("192.0.2.1") for _ in range(SHARE)]
    assert all(logins)
    assert door.begin("192.0.2.1") is None
    assert door.begin("192.0.2.2"), "others have theirs"
    door.admission.end(logins[0], good=False)
    assert door.begin("192.0.2.1")


def test_silent_ones_of_an_address_give_way_to_a_newcomer_of_it():
    """Behind a gateway all clients have its address: 200 silent connections locked the operator out for the login time."""
    door = Door()
    for _ in range(200):
        assert door.begin("192.0.2.1", silent=True)
    operator = door.begin("192.0.2.1")
    assert operator
    for _ in range(50):
        door.begin("192.0.2.1", silent=True)
    assert operator in door.admission._under_way, "who speaks does not give way to who is silent"
    assert len(door.admission._under_way) == SHARE


def test_silent_ones_are_not_free_of_charge():
    door = Door()
    assert sum(door.begin("192.0.2.1", silent=True) is not None for _ in range(5000)) < BURST / SILENT


def test_one_that_takes_longer_than_a_login_gives_way_too():
    door = Door()
    logins = [door.begin("192.0.2.1") for _ in range(SHARE)]
    assert door.begin("192.0.2.1") is None
    door.now += LONG
    assert door.begin("192.0.2.1")
    assert logins[0] not in door.admission._under_way
    assert door.evicted == ["192.0.2.1"]


def test_an_ipv6_client_is_its_64():
    assert counted("2001:db8::1") == counted("2001:db8::2:3") != counted("2001:db8:0:1::1")
    assert counted("fe80::1%eth0") == "fe80::/64"


def test_silent_ones_from_everywhere_make_room_the_oldest_first():
    door = Door()
    for number in range(ALL):
        door.now += 1
        assert door.begin(stranger(number))
    assert door.begin("192.0.2.1")
    assert door.evicted == [stranger(0)]


def test_room_is_made_by_who_has_most():
    door = Door()
    for number in range(ALL - SHARE):
        door.now += 1
        assert door.begin(stranger(number))
    for _ in range(SHARE):
        door.now += 1
        assert door.begin("203.0.113.9")
    assert door.begin("192.0.2.1")
    assert door.evicted == ["203.0.113.9"]


def test_one_address_begins_so_many_at_once_and_one_a_second_then():
    door, begun = Door(), 0
    for _ in range(BURST + 30):
        login = door.begin("192.0.2.1")
        begun += login is not None
        if login:
            door.admission.end(login, good=False)
    assert begun == BURST
    door.now += 3 / PER_SECOND
    assert [door.begin("192.0.2.1") is not None for _ in range(4)] == [True, True, True, False]


def test_a_script_that_logs_in_again_and_again_is_no_stranger():
    door = Door()
    for _ in range(500):
        login = door.begin("192.0.2.1")
        assert login
        door.admission.end(login, good=True)


def test_all_together_begin_no_more_than_the_loop_can_bear():
    door = Door()
    begun = [door.begin(stranger(number)) for number in range(500)]
    assert sum(login is not None for login in begun) == BURST_IN_ALL


def test_a_flood_uses_up_its_own_allowance_alone():
    """Those who come again and again have one in all, and who has not come of late another."""
    door = Door()
    for _ in range(10):
        for number in range(BURST_IN_ALL):
            login = door.begin(stranger(number))
            if login:
                door.admission.end(login, good=False)
        door.now += 1
    while login := door.begin(stranger(1)):
        door.admission.end(login, good=False)
    assert door.begin(stranger(2)) is None
    assert door.begin("192.0.2.1")


def test_who_has_logged_in_before_gets_in_whoever_else_comes():
    door = Door()
    door.admission.end(door.begin("192.0.2.1"), good=True)
    for number in range(500):
        door.begin(stranger(number))
    assert door.begin("192.0.2.2") is None
    assert door.begin("192.0.2.1")


def test_an_end_counts_once():
    door = Door()
    login = door.begin("192.0.2.1")
    for good in (True, False, True):
        door.admission.end(login, good=good)
    assert all(door.begin("192.0.2.1") for _ in range(SHARE))


def test_of_a_world_of_addresses_only_the_last_are_remembered():
    door = Door()
    for number in range(KNOWN + 500):
        door.now += 1
        login = door.begin(stranger(number))
        door.admission.end(login, good=False)
    assert len(door.admission._buckets) == KNOWN


@pytest.mark.parametrize("peer", ["", "no address"])
def test_what_is_no_address_counts_as_itself(peer):
    assert counted(peer) == peer
