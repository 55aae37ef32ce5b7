"""Which state follows which, of an exchange and of a connection: each pair is allowed or refused (docs/architecture.md draws both)."""

import pytest

from haystack._fast.exchange.testing import STATES, check_state_step
from haystack._fast.net.testing import CONNECTION_STATES, check_connection_step

ANYWHERE = {"pending", "connect", "send", "done"}  # another endpoint, a wait for one, or the end
OF_EXCHANGES = {
    "read": {"buffer", *ANYWHERE},
    "buffer": ANYWHERE,
    "pending": ANYWHERE,
    "connect": ANYWHERE,
    "send": {"respond", "tunnel", *ANYWHERE},
    "respond": {"send", "done"},
    "tunnel": {"done"},
    "done": {"read"},
}
OF_CONNECTIONS = {
    "open": {"draining", "lingering", "closed"},
    "draining": {"lingering", "closed"},
    "lingering": {"closed"},
    "closed": set(),
}


def allowed(check, before, after):
    try:
        check(before, after)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("before", OF_EXCHANGES)
def test_an_exchange_goes_on_by_its_table(before):
    assert {after for after in STATES if allowed(check_state_step, before, after)} == OF_EXCHANGES[before]


@pytest.mark.parametrize("before", OF_CONNECTIONS)
def test_a_connection_goes_on_by_its_table(before):
    assert {after for after in CONNECTION_STATES if allowed(check_connection_step, before, after)} == OF_CONNECTIONS[before]


def test_every_state_is_in_its_table():
    assert (list(OF_EXCHANGES), list(OF_CONNECTIONS)) == (list(STATES), list(CONNECTION_STATES))


def test_what_is_refused_says_which_step_it_was():
    with pytest.raises(AssertionError, match="an exchange does not go from state 7 to 5"):
        check_state_step("done", "respond")
    with pytest.raises(AssertionError, match="a connection does not go from state 3 to 0"):
        check_connection_step("closed", "open")
