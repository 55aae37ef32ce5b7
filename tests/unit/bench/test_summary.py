from dataclasses import replace

import pytest

from bench.macro import report
from bench.macro.plot import draw
from bench.macro.process import Process
from bench.macro.scenarios import Aim, Contestant, Scenario, chosen
from bench.macro.summary import ratios, results
from bench.macro.wrk import Load

NAMES = ("nginx", "HAProxy", "Haystack")
WORK = Scenario("w", "work", Load(), (Aim("cpu_us", 0.9),), tuple(Contestant(n, lambda _: Process()) for n in NAMES))


def rows(*rounds, figure="cpu_us"):
    return [
        {"scenario": "w", "round": number, "peer": name, figure: value}
        for number, values in enumerate(rounds)
        for name, value in zip(NAMES, values, strict=True)
    ]


def test_the_ratio_is_to_the_better_peer_of_the_same_round():
    assert ratios(rows((10, 20, 9), (40, 20, 10)), WORK.aims[0]) == (0.9, 0.5)


def test_more_is_better_where_an_aim_says_at_least():
    assert ratios(rows((10, 20, 30), figure="rate"), Aim("rate", 1.0, least=True)) == (1.5,)


def test_without_a_base_the_figure_stands_for_itself():
    assert ratios(rows((1, 2, 3)), Aim("cpu_us", 2.0, base=())) == (3,)


def test_a_result_is_the_median_over_the_rounds():
    (result,) = results(WORK, rows((10, 10, 8), (10, 10, 9), (10, 10, 30)), cores=2)
    assert (result.ratio, result.medians["Haystack"], result.reached) == (0.9, 9, True)


@pytest.mark.parametrize(("value", "reached"), [(8, True), (9, True), (9.1, False)])
def test_an_aim_is_reached_at_its_limit(value, reached):
    (result,) = results(WORK, rows((10, 10, value)), cores=2)
    assert result.reached is reached


def test_a_machine_with_too_few_cores_can_t_tell():
    work = replace(WORK, aims=(Aim("cpu_us", 0.9, cores=4),))
    (result,) = results(work, rows((10, 10, 8)), cores=2)
    assert result.reached is None
    assert "2 cores" in report.verdict(result)


def test_no_result_where_a_peer_of_the_base_was_left_out():
    assert not results(WORK, [row for row in rows((10, 10, 8)) if row["peer"] != "nginx"], cores=2)


def test_a_miss_says_by_how_much():
    (result,) = results(WORK, rows((10, 10, 9.9)), cores=2)
    assert report.verdict(result) == "**missed** by 10%"
    assert report.spread(result) == "**0.99** (0.99 to 0.99)"


def test_scenarios_are_chosen_by_name_in_the_order_of_the_table():
    assert [s.name for s in chosen(["close", "keepalive"])] == ["keepalive", "close"]
    assert len(chosen([])) > 2
    with pytest.raises(KeyError):
        chosen(["nonsense"])


def test_a_block_of_the_readme_is_replaced_and_the_rest_kept(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("a\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nb\n")
    report.replace(file, "figures", "new")
    report.replace(file, "figures", "newer")
    assert file.read_text() == "a\n<!-- figures: begin -->\nnewer\n<!-- figures: end -->\nb\n"


def test_a_readme_without_the_marks_is_left_alone(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("a\n")
    with pytest.raises(ValueError, match="no marks"):
        report.replace(file, "figures", "new")
    assert file.read_text() == "a\n"


def test_the_plot_names_the_work_and_is_the_same_for_the_same_rows(tmp_path):
    for name in ("a.svg", "b.svg"):
        draw([WORK], rows((10, 10, 8), (10, 10, 9)), 2, tmp_path / name)
    drawn = (tmp_path / "a.svg").read_text()
    assert "<!-- w -->" in drawn
    assert drawn == (tmp_path / "b.svg").read_text()
