"""Logs of jobs, from Pods and from the archive: each line once, in order, by its id.

`follows` is what the HTTP layer calls: `readers` go from attempt to attempt, `sharedlogs` have one
upstream for all of them in a `rooms.Room`, `podlogs` and `archivelogs` read the two sources, and
`joinedlogs` joins them. `attempts` knows those that a status names no more. `archive` has the names
and the format of what the archiver writes.
"""
