"""A certificate that is renewed while a server shows it: over real TLS, in files as mounted."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cijob_gateway.certificates import keep_fresh
from kit.certificates import make_certificate

pytestmark = pytest.mark.process


class Mount:
    """A Secret as the kubelet mounts it: files that are links into a folder, exchanged at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0
        self.files = (str(folder / "tls.crt"), str(folder / "tls.key"))
        for file in self.files:
            Path(file).symlink_to(Path("..data") / Path(file).name)

    def renew(self, *, key_of: bytes = b"") -> bytes:
        """A new certificate, in DER; with another's key if one is given."""
        self.made += 1
        own = self.folder / f"..{self.made}"
        own.mkdir()
        certificate, key = make_certificate(own, "gateway")
        if key_of:
            key.write_bytes(key_of)
        (self.folder / "..new").symlink_to(own.name)
        (self.folder / "..new").rename(self.folder / "..data")
        return ssl.PEM_cert_to_DER_cert(certificate.read_text())


async def shown(port: int) -> bytes | None:
    """The certificate that a new connection is shown."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anyone)
    certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return certificate


async def until_shown(port: int, certificate: bytes) -> None:
    while await shown(port) != certificate:  # noqa: ASYNC110 (it is files that change)
        await asyncio.sleep(0.01)


def serve(mount: Mount, test: Callable[[int], Awaitable[None]]) -> None:
    """Run a test against a server that shows the mount's certificate, kept fresh."""

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*mount.files)
        fresh = asyncio.create_task(keep_fresh([context], mount.files, seconds=0.01))
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
        async with server, asyncio.timeout(20):
            await test(server.sockets[0].getsockname()[1])
        fresh.cancel()

    asyncio.run(main())


def test_a_renewed_certificate_is_shown_to_new_connections(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    first = mount.renew()

    async def test(port: int) -> None:
        assert await shown(port) == first
        await until_shown(port, mount.renew())

    serve(mount, test)


def test_a_pair_that_does_not_fit_is_left_and_the_next_one_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mount = Mount(tmp_path)
    first = mount.renew()
    old_key = Path(mount.files[1]).read_bytes()

    async def test(port: int) -> None:
        mount.renew(key_of=old_key)
        while "cannot be used" not in caplog.text:  # noqa: ASYNC110 (a log has no event)
            await asyncio.sleep(0.01)
        assert await shown(port) == first
        await until_shown(port, mount.renew())

    with caplog.at_level(logging.INFO):
        serve(mount, test)
