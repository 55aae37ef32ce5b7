"""A limit of memory that is too low for the settings is told at the start: when it ends Haystack, nothing is told any more."""

from pathlib import Path

import pytest

from haystack.settings.settings import load
from haystack.startup import memory_limit

DOCKER = "/docker/" + "a" * 64
NO_LIMIT = "9223372036854771712"  # version 1: the largest multiple of a page


def made(root: Path, cgroup: str, **limits: str) -> Path:
    """A machine with this /proc/self/cgroup and these files below /sys/fs/cgroup."""
    files = {"proc/self/cgroup": cgroup} | {f"sys/fs/cgroup/{path}": text for path, text in limits.items()}
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(
    ("cgroup", "limits", "allowed"),
    [
        ("0::/", {"memory.max": "134217728"}, 134217728),  # a container of version 2 has a namespace of its own
        ("0::/", {"memory.max": "max"}, None),
        ("0::/", {}, None),
        ("0::/system.slice/h.service", {"system.slice/h.service/memory.max": "max", "system.slice/memory.max": "4096"}, 4096),
        (f"8:pids:{DOCKER}\n4:memory:{DOCKER}\n0::{DOCKER}", {"memory/memory.limit_in_bytes": "134217728"}, 134217728),
        (f"4:cpu,memory:{DOCKER}", {"memory/memory.limit_in_bytes": NO_LIMIT, f"memory{DOCKER}/memory.limit_in_bytes": "8192"}, 8192),
        (f"8:pids:{DOCKER}", {"memory/memory.limit_in_bytes": "1"}, None),
        ("", {}, None),
    ],
)
def test_the_lowest_limit_of_the_group_and_those_above_it_counts(tmp_path, cgroup, limits, allowed):
    assert memory_limit.allowed(made(tmp_path, cgroup, **limits)) == allowed


def test_a_machine_that_tells_nothing_has_no_limit(tmp_path):
    assert memory_limit.allowed(tmp_path) is None


def limited(root: Path, mib: int) -> Path:
    return made(root, "0::/", **{"memory.max": str(mib << 20)})


def test_a_limit_that_the_settings_may_go_beyond_is_told_with_what_to_set(tmp_path):
    told = memory_limit.warning(load({"workers": "2"}), limited(tmp_path, 128))
    assert told.startswith("the memory limit is 128 MiB, and HAYSTACK_WORKERS=2 and HAYSTACK_ANSWER_MEMORY=256M may need 404 MiB")
    assert "docker run --memory" in told


def test_512_mib_are_enough_for_two_workers_as_the_page_on_sizing_says(tmp_path):
    assert memory_limit.warning(load({"workers": "2"}), limited(tmp_path, 512)) == ""


def test_lower_settings_need_less(tmp_path):
    assert memory_limit.warning(load({"workers": "2", "answer_memory": "32M"}), limited(tmp_path, 200)) == ""


def test_where_unread_answers_have_no_limit_none_of_the_group_is_enough(tmp_path):
    settings = load({"workers": "2", "answer_memory": "0"})
    assert "HAYSTACK_ANSWER_MEMORY=0, which is no limit, may need more;" in memory_limit.warning(settings, limited(tmp_path, 4096))
    assert memory_limit.warning(settings, tmp_path / "none") == ""
