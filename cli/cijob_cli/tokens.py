"""The token that says who is calling. Called by connecting; keeps minted tokens until they end.

The kubeconfig user's own token if there is one. Users with a client certificate have none: for
them a token of ServiceAccount `ci-cli` is minted, which asks for the right to do so.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cijob_cli.errors import CIError
from cijob_cli.kubeconfig import Kubeconfig
from cijob_cli.kubectl import Kubectl
from cijob_cli.units import parse_time

_SPARE = timedelta(minutes=5)  # before its end a token is no longer begun with

_OURS_ONLY = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class FixedToken:
    """A token that was given, or none."""

    given: str | None

    def token(self) -> str | None:
        """The token."""
        return self.given

    def renew(self) -> bool:
        """Whether there is another one now: never."""
        return False

    def explanation(self) -> str:
        """Why there is no token, in words."""
        return ""


class KubeToken:
    """A token by the kubeconfig."""

    def __init__(
        self,
        kubectl: Kubectl,
        kubeconfig: Callable[[], Kubeconfig],
        system_namespace: str,
        cache: Path,
    ) -> None:
        self._kubectl = kubectl
        self._kubeconfig = kubeconfig
        self._system = system_namespace
        self._cache = cache
        self._token: str | None = None
        self._asked = False
        self._why = ""

    def token(self) -> str | None:
        """The token; None where none can be had: a gateway without login needs none."""
        if not self._asked:
            self._token, self._asked = self._find(), True
        return self._token

    def renew(self) -> bool:
        """Forget the token and find another one; whether there is one."""
        before = self.token()
        with contextlib.suppress(CIError, OSError):
            self._file().unlink()
        self._token = self._find()
        return self._token is not None and self._token != before

    def explanation(self) -> str:
        """Why there is no token, in words."""
        return self._why

    def _find(self) -> str | None:
        try:
            config = self._kubeconfig()
            return config.own_token() or self._stored() or self._mint()
        except CIError as error:
            self._why = str(error)
            return None

    def _file(self) -> Path:
        return self._cache / f"token-{self._kubeconfig().identity[:32]}-{self._system}.json"

    def _stored(self) -> str | None:
        try:
            stored = json.loads(self._file().read_text("utf-8"))
            ends = parse_time(stored["expires"])
            fresh = ends is not None and datetime.fromtimestamp(time.time(), UTC) < ends - _SPARE
            return str(stored["token"]) if fresh else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _mint(self) -> str:
        answer = self._kubectl.ask(
            "create",
            "token",
            "ci-cli",
            f"--namespace={self._system}",
            "--audience=cijob-gateway",
            "--duration=1h",
        )
        status = answer["status"]
        self._store({"token": status["token"], "expires": status["expirationTimestamp"]})
        return str(status["token"])

    def _store(self, content: dict[str, str]) -> None:
        """Keep it for the next call; where that is not possible it is minted again."""
        with contextlib.suppress(OSError):
            self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            new = self._cache / f"token-{os.getpid()}.new"
            with os.fdopen(os.open(new, _OURS_ONLY, 0o600), "w") as file:
                json.dump(content, file)
            new.replace(self._file())
