"""The report of a run as one HTML page: what it says, part by part, and how that becomes HTML."""
