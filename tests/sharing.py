"""How pytest-xdist shares the tests among its processes (`make test`): file by file, and what measures comes last, with nothing beside it.

A file is one piece, since its fixtures are dear. The tests of the engine are one piece, too: each sees all of the engine's containers.
"""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

ENGINE, MEASURING = "the engine's tests", "tests that measure"
# They measure CPU time, or how long something takes: anything beside them would be measured too.
MEASURE = (
    "tests/conformance/test_control_loop.py",
    "tests/conformance/test_http2_floods.py",
    "tests/integration/test_chaos.py",
    "tests/integration/test_chaos_tls.py",
    "tests/unit/discovery/swarm/test_large.py",
    "tests/unit/fast/test_pick_cost.py",
    "tests/unit/net/test_access_cost.py",
    "tests/unit/proxy/test_worker_routes_cost.py",
)
# The longest begin first, so that none is alone at the end.
FIRST = ("tests/integration/",)


def piece(test: str) -> str:
    """The piece that a test belongs to, by its id."""
    file = test.partition("::")[0]
    if file in MEASURE:
        return MEASURING
    return ENGINE if file.startswith("tests/integration/") else file


def place(test: str) -> int:
    """Its piece's place in the order in which they begin."""
    return next((number for number, start in enumerate(FIRST) if test.startswith(start)), len(FIRST))


class Sharing(LoadScopeScheduling):
    """Pieces in the order of their tests. What measures is kept back until a single process is left."""

    def __init__(self, config: Any, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        if MEASURING in self.workqueue:
            self.workqueue.move_to_end(MEASURING)
        if self._only_measuring_is_left() and len(self.nodes) > 1:
            self._end_all_but_one()
        else:
            super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if self.collection is None or node not in self.registered_collections:
            return  # it has not said yet which tests there are, and gets its work when it has
        if not self._only_measuring_is_left():
            super()._reschedule(node)
        if self._only_measuring_is_left():
            self._end_all_but_one()

    def _only_measuring_is_left(self) -> bool:
        return list(self.workqueue) == [MEASURING]

    def _end_all_but_one(self) -> None:
        """They do what they have, and end. The one that stays measures when the others have gone."""
        staying = [node for node in self.nodes if not node.shutting_down]
        for node in staying[1:]:
            node.shutdown()
        if staying and len(self.nodes) == 1:
            super()._assign_work_unit(staying[0])

    def remove_node(self, node: Any) -> str | None:
        """It has ended; or died, and then it answers the test that it died of, and its pieces are to be given away again."""
        given = self.assigned_work[node]
        for name in [name for name, tests in given.items() if all(tests.values())]:
            del given[name]  # it is done: as something to do it would keep another process waiting
        died_of = super().remove_node(node)
        if len(self.nodes) == 1:
            self._reschedule(self.nodes[0])
        return died_of
