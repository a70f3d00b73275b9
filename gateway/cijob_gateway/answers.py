"""Problems as the responses that say them. Used by the applications and by their routes."""

import logging
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from cijob_api.fields import words_of
from cijob_gateway.errors import RETRY_SECONDS, BadRequest, Down, Problem

logger = logging.getLogger(__name__)


def answer(problem: Problem) -> JSONResponse:
    """A problem as the response that says it."""
    headers = {"Retry-After": str(RETRY_SECONDS)} if isinstance(problem, Down) else {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        problem.document(), problem.status, headers, media_type="application/problem+json"
    )


def broke_off(path: str) -> JSONResponse:
    """The client went away before its body was there: an everyday thing, whoever pressed Ctrl-C.

    Nobody hears the answer; it is what the request is counted as.
    """
    logger.info("the client went away before all of its body was there", extra={"path": path})
    return answer(BadRequest("the body broke off; nothing was stored"))


def fault(error: RequestValidationError) -> str:
    """Where a request is wrong and how, without what it said: that may be a secret."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:])
    return f"{where or 'the body'}: {words_of(first)}"
