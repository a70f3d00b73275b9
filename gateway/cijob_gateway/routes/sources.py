"""`/v1/namespaces/{ns}/sources/{sha256}`: is a source there, and its upload."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from cijob_gateway import metrics
from cijob_gateway.errors import BadRequest, NotFound
from cijob_gateway.parts import Call, Called, Namespace
from cijob_gateway.store import source_name
from cijob_gateway.uploads import Wanted, too_large

router = APIRouter(prefix="/v1/namespaces/{namespace}/sources/{sha256}", tags=["sources"])
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="The zip's sha256.")]
BODY = {"requestBody": {"content": {"application/zip": {"schema": {"type": "string"}}}}}


@router.head("", summary="Is this source stored in the namespace?")
async def find(namespace: Namespace, sha256: Digest, call: Called) -> Response:
    """200 if it is, else 404; no bytes either way."""
    await call.require("create", namespace)
    stored = await call.parts.store.find(source_name(namespace, sha256))
    if stored is None:
        raise NotFound(f"no source {sha256} is stored in namespace {namespace}; upload it")
    return Response(headers={"Cijob-Source-Bytes": str(stored.size)})


@router.put("", summary="Upload a source", openapi_extra=BODY)
async def upload(namespace: Namespace, sha256: Digest, call: Called) -> Response:
    """Store a zip under its digest: 201; 200 and no body read if it is there already."""
    await call.require("create", namespace)
    store, name = call.parts.store, source_name(namespace, sha256)
    if stored := await store.find(name):
        metrics.saved_bytes.inc(stored.size)
        return JSONResponse({"sha256": sha256, "sizeBytes": stored.size})
    wanted = Wanted(call.parts.settings.max_source_bytes, sha256, size=announced(call))
    _, size = await store.write(name, call.request.stream(), wanted)
    call.parts.jobs.sources.note_upload(name, size)
    return JSONResponse({"sha256": sha256, "sizeBytes": size}, status_code=201)


def announced(call: Call) -> int | None:
    """The body's size if the client says it. Raises SourceTooLarge before a byte is read."""
    text = call.request.headers.get("Content-Length")
    if text is None:
        return None
    size = int(text) if text.isdecimal() else 0
    if size == 0:
        raise BadRequest("the body is empty; send the zip as the body")
    if size > call.parts.settings.max_source_bytes:
        raise too_large(size, call.parts.settings.max_source_bytes)
    return size
