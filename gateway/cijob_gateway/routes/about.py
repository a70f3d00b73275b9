"""What there is to know before a job: version, login, templates."""

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from cijob_gateway.parts import Called, Given, Namespace

router = APIRouter(prefix="/v1", tags=["about"])


@router.get("/version", summary="What runs here; needs no login")
async def about(given: Given) -> Response:
    """The version, the limit of a source in bytes, and how to log in."""
    auth = "kubernetes" if given.settings.login else "none"
    limit = given.settings.max_source_bytes
    return JSONResponse({"version": version("cijob"), "maxSourceBytes": limit, "auth": auth})


@router.get("/whoami", summary="Whose token this is")
async def whoami(call: Called) -> Response:
    """The user and groups that the cluster knows the token by."""
    return JSONResponse({"user": call.user.user, "groups": list(call.user.groups)})


@router.get("/namespaces/{namespace}/templates", summary="What can be submitted to")
async def templates(namespace: Namespace, call: Called) -> Response:
    """The namespace's own templates, and the system's."""
    await call.require("list", namespace)
    items = [
        {
            "name": body["metadata"]["name"],
            "namespace": body["metadata"]["namespace"],
            "description": body["spec"].get("description"),
            "image": body["spec"].get("image"),
            "acceptsJobFlags": bool(body["spec"].get("acceptsJobFlags")),
            "args": body["spec"].get("args") or [],
        }
        for body in call.parts.jobs.templates(namespace)
    ]
    return JSONResponse({"items": items})
