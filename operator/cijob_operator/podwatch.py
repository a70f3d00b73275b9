"""The watch of our Pods: they make half of all events, and kopf does much around each that nobody
here asks for: measured, a fifth of what a job costs the operator.

`main` runs it beside the watches of kopf, by the same rule: an event only says which key to look
at. What goes while a watch is cut off is noticed by the resync.
"""

from collections.abc import Iterable
from functools import partial

from cijob_api import names
from cijob_operator.cache import Cache, Key
from cijob_operator.eventstreams import Json, Stream, Watcher, hear
from cijob_operator.workqueue import WorkQueue

AGAIN_SECONDS = 1


async def watch_pods(
    api: Watcher, cache: Cache, queue: WorkQueue[Key], namespaces: Iterable[str]
) -> None:
    """Take in all Pods of ours in these namespaces, or in all, for ever.

    What is known of those that are there already is no news.
    """
    query = {"labelSelector": names.LABEL_JOB}
    pods = Stream("pods", query, "the watch of Pods was cut", AGAIN_SECONDS)
    await hear(api, pods, namespaces, partial(take, cache=cache, queue=queue))


def take(event: Json, cache: Cache, queue: WorkQueue[Key]) -> None:
    """Take in one event, and have its job looked at if it is news."""
    body = event["object"]
    if event["type"] == "DELETED":
        queue.add(cache.drop_pod(body))
    elif event["type"] != "BOOKMARK" and cache.is_news_of_pod(body):
        queue.add(cache.put_pod(body))
