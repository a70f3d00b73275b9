"""Notifications: what happens to a job, told to the sinks that it names.

Run by the archiver's leader, apart from archiving: a sink that is down delays nothing. The order
of the parts is the way of an event: `notifier` sees that a job changed, `due` says which event a
sink wants next, a courier (`couriers`, one a sink) has it composed (`posts`) and sent (`senders`)
to an address that is allowed (`addresses`), and `cursors` remembers what was accepted.
"""
