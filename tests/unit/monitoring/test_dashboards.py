"""Dashboards: what is checked in is what the code builds, asks only for what exists, and can be read."""

import re
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from helm.generate.dashboards.__main__ import write
from helm.generate.dashboards.queries import Selected

CHECKED_IN = Path(__file__).parents[3] / "helm" / "dashboards"
NAMES = ["fleet", "training"]


def panels(dashboard):
    return [each for each in dashboard["panels"] if each["type"] != "row"]


def expressions(dashboard):
    """What a dashboard asks, with a value for each of its variables."""
    variables = {each["name"] for each in dashboard["templating"]["list"]} | {"__rate_interval"}
    asked = [target["expr"] for panel in panels(dashboard) for target in panel["targets"]]
    for each in asked:
        assert set(re.findall(r"\$(\w*[A-Za-z_]\w*)", each)) <= variables, each
    return [re.sub(r"\$[A-Za-z]\w*", "x", each.replace("$__rate_interval", "5m")) for each in asked]


def test_what_is_checked_in_is_what_the_code_builds(tmp_path):
    write(tmp_path)
    built = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert {each.name: each.read_text() for each in CHECKED_IN.iterdir()} == built, "run `make docs`"
    assert sorted(built) == [f"{name}.json" for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_asks_only_for_series_that_exist(dashboards, unknown_names, name):
    assert {each: unknown_names(each) for each in expressions(dashboards[name]) if unknown_names(each)} == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_expression_is_promql(dashboards, promtool, tmp_path, name):
    asked = expressions(dashboards[name])
    rules = [{"record": f"expression:{number}", "expr": each} for number, each in enumerate(asked)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": name, "rules": rules}]}))
    assert f"SUCCESS: {len(asked)} rules found" in promtool("check", "rules", "--lint=none", tmp_path / "rules.yaml")
    assert len(asked) > 10


@pytest.mark.parametrize("name", NAMES)
def test_variables_lead_from_the_data_source_to_the_job(dashboards, unknown_names, name):
    found = {each["name"]: each for each in dashboards[name]["templating"]["list"]}
    assert list(found)[:3] == ["datasource", "namespace", "release"]
    assert ("job" in found) == (name == "training")
    for each in list(found.values())[1:]:
        series = re.match(r"label_values\((\w+)", each["query"]["query"])[1]
        assert unknown_names(series) == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_a_title_of_its_own_a_description_and_a_unit(dashboards, name):
    found = panels(dashboards[name])
    assert len({each["title"] for each in found}) == len(found) > 10
    for each in found:
        assert each["description"].endswith("."), each["title"]
        assert each["fieldConfig"]["defaults"]["unit"], each["title"]
        assert each["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("name", NAMES)
def test_no_two_panels_overlap_and_none_sticks_out(dashboards, name):
    places = [each["gridPos"] for each in dashboards[name]["panels"]]
    assert all(each["x"] + each["w"] <= 24 for each in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)


@pytest.mark.parametrize("name", NAMES)
def test_panels_and_their_queries_can_be_told_apart(dashboards, name):
    everything = dashboards[name]["panels"]
    assert [each["id"] for each in everything] == list(range(1, len(everything) + 1))
    for each in panels(dashboards[name]):
        letters = [target["refId"] for target in each["targets"]]
        assert len(set(letters)) == len(letters), each["title"]


def test_the_dashboard_shows_of_a_slow_rank_what_the_alert_asks(alerts):
    (alert,) = (each["expr"] for each in alerts if each["alert"] == "CxrTrainStraggler")
    shown = Selected("", window="10m")
    for cause in ("compute", "input"):
        assert _bare(shown.excess(cause)) in _bare(alert)


def _bare(expression):
    return re.sub(r"\s|\{\}", "", expression)
