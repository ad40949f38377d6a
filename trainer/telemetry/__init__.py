"""What a run tells about itself while it runs: metrics, step times, log lines."""
