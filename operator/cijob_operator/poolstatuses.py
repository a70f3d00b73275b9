"""How full each CIPool is, written into its status: on change only, and many changes at once.

Called through the work queue, like everything that writes. The pool that there is without a CIPool
has no object, and no status.
"""

from collections.abc import Callable
from datetime import datetime

from cijob_api import names
from cijob_api.conditions import with_condition
from cijob_api.statuses import CIPoolStatus, Condition
from cijob_kube.api import Api
from cijob_kube.errors import Gone
from cijob_kube.leases import Leadership
from cijob_operator.cache import Cache
from cijob_operator.jobqueue import JobQueue
from cijob_operator.nodes import NodeView, count_nodes
from cijob_operator.times import format_time

# So long changes are gathered: a status is for people.
GATHER_SECONDS = 2.0
NODES_SECONDS = 60.0
NODES = "NodesAvailable"


class PoolStatuses:
    """Writes the statuses of all pools that differ from what they should be."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        leadership: Leadership,
        *,
        jobs: JobQueue,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._cache = cache
        self._leadership = leadership
        self._jobs = jobs
        self._nodes: tuple[NodeView, ...] = ()
        self._counted: tuple[datetime, frozenset[str]] | None = None  # when, and for which pools
        self._now = now

    async def write(self) -> None:
        """One round. Raises ApiError, LeaseLost."""
        pools = self._jobs.pools()
        await self._count_nodes(frozenset(pools.keys() & self._cache.pools.keys()))
        for name, pool in pools.items():
            known = self._cache.pools.get(name)
            if known is None:
                continue  # there is no object
            before = known.status
            running, queued = self._jobs.counts(name)
            counted = count_nodes(pool, self._nodes)
            after = status(before, running=running, queued=queued, nodes=counted, now=self._now())
            if after == before:
                continue
            self._leadership.check()
            body = {"status": after.model_dump(by_alias=True, exclude_none=True, mode="json")}
            path = f"/apis/{names.API_VERSION}/cipools/{name}/status"
            try:
                answer = await self._api.patch(path, body, manager=names.MANAGER_OPERATOR)
            except Gone:
                continue
            self._cache.put_pool(answer)

    async def _count_nodes(self, pools: frozenset[str]) -> None:
        """List the nodes now and then, and for a new pool at once; without a pool never."""
        when, before = self._counted or (None, frozenset())
        fresh = when and (self._now() - when).total_seconds() < NODES_SECONDS
        if not pools or (fresh and pools <= before):
            return
        found: list[NodeView] = []
        async for bodies, _ in self._api.pages("/api/v1/nodes"):
            found += [NodeView.of(body) for body in bodies]
        self._nodes, self._counted = tuple(found), (self._now(), pools)


def status(
    before: CIPoolStatus, *, running: int, queued: int, nodes: int, now: datetime
) -> CIPoolStatus:
    """A pool's status by what was counted."""
    fact = Condition(
        type=NODES,
        status="True" if nodes else "False",
        reason="NodesFound" if nodes else "NoNodes",
        message="" if nodes else "no node fits the pool's labels, processor and tolerations",
        last_transition_time=format_time(now),
    )
    conditions = with_condition(before.conditions, fact)
    return CIPoolStatus(running=running, queued=queued, nodes=nodes, conditions=conditions)
