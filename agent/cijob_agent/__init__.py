"""The agent in the job's Pod: fetches the source, verifies it, unpacks it, says ready.

Runs as `python -m cijob_agent` beside the job's container, or before it. Standard library only, and
little of that: its start delays every job, so `dataclasses` and `pathlib` are left out on purpose.
"""
