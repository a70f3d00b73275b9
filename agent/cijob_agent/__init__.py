"""The agent: runs beside the job in its Pod, fetches the source, hands in results."""
