"""Builds the Grafana dashboards of the chart: ``python -m helm.generate.dashboards`` writes helm/dashboards/*.json."""
