"""Whose token it is and what its owner may do, as a server with Kubernetes' answers says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from cijob_gateway.errors import Forbidden, NotFound, Unauthenticated
from cijob_gateway.login import LOCAL, REMEMBERED_SECONDS, Login, Right
from kit.apiserver import served

# token: the audiences it is for; none is the API server's own
TOKENS = {"ours": "cijob-gateway", "kubectls": "", "agents": "cijob-agent"}
MAY = {("ann", "get", "team")}


class Server:
    """Answers reviews from the tables above, and counts them."""

    def __init__(self) -> None:
        self.reviews = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.reviews += 1
        body = await request.json()
        if body["kind"] == "TokenReview":
            return web.json_response({"status": self.token(body["spec"])}, status=201)
        spec = body["spec"]
        asked = spec["resourceAttributes"]
        allowed = (spec["user"], asked["verb"], asked["namespace"]) in MAY
        return web.json_response({"status": {"allowed": allowed}}, status=201)

    def token(self, spec: dict[str, Any]) -> dict[str, Any]:
        audience = TOKENS.get(spec["token"])
        asked = spec.get("audiences", [""])
        if audience not in asked:
            return {"authenticated": False}
        user = {"username": "ann", "groups": ["devs"], "extra": {"pod": ["p"]}}
        return {"authenticated": True, "user": user, "audiences": [audience] if audience else []}


def run(test: Callable[[Server, Login, list[float]], Awaitable[None]]) -> None:
    async def main() -> None:
        server, clock = Server(), [0.0]
        async with served(server.handle) as api:
            await test(server, Login(api, required=True, monotonic=lambda: clock[0]), clock)

    asyncio.run(main())


def test_a_token_of_ours_and_one_of_the_api_servers_both_are_users() -> None:
    async def test(_: Server, login: Login, __: list[float]) -> None:
        for token in ("ours", "kubectls"):
            caller = await login.user(f"Bearer {token}")
            assert (caller.user, caller.groups, caller.said("pod")) == ("ann", ("devs",), "p")

    run(test)


@pytest.mark.parametrize(
    "header", [None, "", "ours", "Basic ours", "Bearer ", "Bearer agents", "Bearer unknown"]
)
def test_nothing_else_is_a_user(header: str | None) -> None:
    async def test(_: Server, login: Login, __: list[float]) -> None:
        with pytest.raises(Unauthenticated):
            await login.user(header)

    run(test)


def test_only_an_agents_token_is_an_agent() -> None:
    async def test(_: Server, login: Login, __: list[float]) -> None:
        assert (await login.agent("Bearer agents")).user == "ann"
        for token in ("ours", "kubectls"):
            with pytest.raises(Unauthenticated):
                await login.agent(f"Bearer {token}")

    run(test)


def test_answers_are_remembered_for_seconds_and_not_longer() -> None:
    async def test(server: Server, login: Login, clock: list[float]) -> None:
        for _ in range(3):
            await login.require(await login.user("Bearer ours"), Right("get", "team"))
        assert server.reviews == 2
        clock[0] += REMEMBERED_SECONDS + 1
        await login.require(await login.user("Bearer ours"), Right("get", "team"))
        assert server.reviews == 4

    run(test)


def test_a_missing_right_is_named_and_a_missing_sight_is_not() -> None:
    async def test(_: Server, login: Login, __: list[float]) -> None:
        caller = await login.user("Bearer ours")
        with pytest.raises(Forbidden, match=r"ann may not create cijob.dev cijobs in namespace t"):
            await login.require(caller, Right("create", "team"))
        with pytest.raises(NotFound, match="there is no job 'x'"):
            await login.require_sight(caller, Right("get", "other", "x"))

    run(test)


def test_without_a_login_nobody_is_asked() -> None:
    async def test(server: Server, login: Login, _: list[float]) -> None:
        login.required = False
        caller = await login.user(None)
        await login.require(caller, Right("delete", "any"))
        assert (caller, server.reviews) == (LOCAL, 0)

    run(test)
