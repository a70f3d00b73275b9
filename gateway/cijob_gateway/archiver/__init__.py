"""The archiver: follows every job's log from its start and keeps it in S3, with the job's end.

`python -m cijob_gateway.archiver`: a process of its own, of which one leads. It shares the reading
of logs, the store and the watches with the gateway, and the bucket's layout with archive.py.
"""
