"""The table of pickers, by the words of `haystack.balance`."""

from haystack._fast.balance.ewma import Ewma
from haystack._fast.balance.hash import Hash
from haystack._fast.balance.random import P2C, Random
from haystack._fast.balance.round_robin import LeastConn, RoundRobin
from haystack._fast.endpoint.endpoint cimport Picker
from haystack.model.balance import parts

PICKERS = {"p2c": P2C, "random": Random, "roundrobin": RoundRobin, "leastconn": LeastConn, "ewma": Ewma, "hash": Hash}


def make(str balance, list members, list weights, Picker old=None):
    """A picker for these members by `balance`, the algorithm's name and after a colon what its key is made of.

    old: the one that it takes over from, whose turns go on; where nothing has changed for it, it is given back itself. KeyError: no such
    algorithm.
    """
    kind = PICKERS[parts(balance).algorithm]
    if old is not None and type(old) is kind and old.serves(members, weights):
        return old
    return kind(members, weights, old)
