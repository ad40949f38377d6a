"""What both dashboards have around their panels: names, variables, links, and the time they show."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from helm.generate.dashboards.panels import SOURCE, Panel
from trainer.telemetry.catalog import STEPS

TAG = "cxr-train"


def framed(uid: str, title: str, description: str, *, since: str) -> dashboard.Dashboard:
    """An empty dashboard with a data source to choose and a link to the others of the chart."""
    others = (
        dashboard.DashboardLink("cxr-train")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .refresh("30s")
        .time(f"now-{since}", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(others)
        .with_variable(dashboard.DatasourceVariable("datasource").label("data source").type("prometheus"))
    )


def with_sections(board: dashboard.Dashboard, sections: Sequence[tuple[str, Sequence[Panel]]]) -> dashboard.Dashboard:
    """The dashboard with a titled row of panels for each section, from the top down."""
    for title, section in sections:
        board.with_row(dashboard.Row(title))
        for panel in section:
            board.with_panel(panel)
    return board


def label_variable(name: str, label: str, within: str, *, several: bool, text: str = "") -> dashboard.QueryVariable:
    """A variable over the values that a label has on jobs ``within`` a selection; several: any number, or all."""
    query = f"label_values({STEPS.name}{{{within}}}, {label})" if within else f"label_values({STEPS.name}, {label})"
    variable = (
        dashboard.QueryVariable(name)
        .label(text or name)
        .datasource(SOURCE)
        .query({"query": query, "refId": f"{name}-values"})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
    if several:
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable.multi(True).include_all(True).current(everything)
    return variable
