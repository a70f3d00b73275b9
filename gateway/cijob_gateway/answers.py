"""Problems as the responses that say them. Used by the applications and by their routes."""

from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from cijob_api.fields import words_of
from cijob_gateway.errors import RETRY_SECONDS, Down, Problem


def answer(problem: Problem) -> JSONResponse:
    """A problem as the response that says it."""
    headers = {"Retry-After": str(RETRY_SECONDS)} if isinstance(problem, Down) else {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        problem.document(), problem.status, headers, media_type="application/problem+json"
    )


def fault(error: RequestValidationError) -> str:
    """Where a request is wrong and how, without what it said: that may be a secret."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"][1:])
    return f"{where or 'the body'}: {words_of(first)}"
