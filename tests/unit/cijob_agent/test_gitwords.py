"""What git, curl and ssh say, and what it means.

The words are those that the image's own programs were heard to say (git 2.39.5, curl with GnuTLS,
OpenSSH 9.2), each before a server that was made to behave so; most of it `test_git_clones` and
`test_git_ssh` cause again. What no program here says is in `OTHERS`.
"""

import pytest

from cijob_agent import gitwords
from cijob_agent.errors import AgentError

URL = "https://git.example.com/a.git"
ACCESS = f"fatal: unable to access '{URL}/': "
CANNOT_READ = """fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists."""
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:prhfhrMCQs+g697KxSjEbhULHzgbOvieYPEuvDaqYyU.
Please contact your system administrator.
Add correct host key in /tmp/kh to get rid of this message.
Offending ED25519 key in /tmp/kh:1
  remove with:
  ssh-keygen -f "/tmp/kh" -R "[127.0.0.1]:32803"
Host key for [127.0.0.1]:32803 has changed and you have requested strict checking.
Host key verification failed.
"""
SAID = {
    "GitAuthFailed": [
        "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled",
        f"remote: HTTP Basic: Access denied\nfatal: Authentication failed for '{URL}/'",
        f"{ACCESS}The requested URL returned error: 403",
        f"{ACCESS}The requested URL returned error: 407",
        (
            "error: RPC failed; HTTP 403 curl 22 The requested URL returned error: 403\n"
            "fatal: expected flush after ref listing"
        ),
        f"git@git.example.com: Permission denied (publickey).\n{CANNOT_READ}",
        (
            f'Load key "/tmp/k": error in libcrypto\n'
            f"git@127.0.0.1: Permission denied (publickey).\n{CANNOT_READ}"
        ),
        (
            "Received disconnect from 127.0.0.1 port 43999:2: Too many authentication failures\n"
            f"Disconnected from 127.0.0.1 port 43999\n{CANNOT_READ}"
        ),
    ],
    "GitHostKey": [
        CHANGED + CANNOT_READ,
        (
            "No ED25519 host key is known for [127.0.0.1]:32803 and you have requested"
            " strict checking.\n"
            f"Host key verification failed.\n{CANNOT_READ}"
        ),
        (
            "Unable to negotiate with 127.0.0.1 port 32803: no matching host key type found."
            f" Their offer: ssh-ed25519\n{CANNOT_READ}"
        ),
        # An unknown authority, a certificate by itself, and one that has expired: all the same.
        f"{ACCESS}server certificate verification failed. CAfile: /tmp/ca.crt CRLfile: none",
        (
            f"{ACCESS}SSL: certificate subject name (git server) does not match target host name"
            " '127.0.0.1'"
        ),
        f"{ACCESS}Problem with the SSL CA cert (path? access rights?)",
    ],
    "GitRefNotFound": [
        "fatal: couldn't find remote ref nope",
        "fatal: remote error: upload-pack: not our ref 0000000000000000000000000000000000000001",
        "error: Server does not allow request for unadvertised object 4ed949cb92ad7f4b6514f7c630e8",
        "fatal: Needed a single revision",
    ],
    "SourceNotFound": [
        f"fatal: repository '{URL}/' not found",
        f"remote: Repository not found.\nfatal: repository '{URL}/' not found",
        "fatal: remote error: access denied or repository not exported: /x",
        "fatal: remote error: Repository not found.",
        f"fatal: '/srv/nope.git' does not appear to be a git repository\n{CANNOT_READ}",
        f"{ACCESS}The requested URL returned error: 410",
        (
            "error: RPC failed; HTTP 404 curl 22 The requested URL returned error: 404\n"
            "fatal: the remote end hung up unexpectedly"
        ),
        f"{ACCESS}Maximum (20) redirects followed",
        (
            "fatal: unable to update url base from redirection:\n"
            f"  asked for: {URL}/info/refs?service=git-upload-pack\n"
            "   redirect: https://localhost/other"
        ),
    ],
    "SourceRejected": [
        (
            "error: object 92e68dc3ce6e75660c46b856460752c1016c4cd8: hasDotgit: contains '.git'\n"
            "fatal: fsck error in packed object\nfatal: fetch-pack: invalid index-pack output"
        ),
        "fatal: transport 'ext' not allowed\nfatal: clone of 'ext::sh' into submodule s failed",
        f'{ACCESS}Protocol "http" not supported or disabled in libcurl',
        "fatal: strange hostname '-oProxyCommand=id' blocked",
        "fatal: repository '/srv/a.git' does not exist\nfatal: clone of '/srv/a.git' failed",
        "fatal: URL 'https://u:<redacted>@127.0.0.1:1/a' uses plaintext credentials",
        "fatal: dumb http transport does not support shallow capabilities",
        (
            "error: inflate: data stream error (incorrect header check)\n"
            "fatal: pack has bad object at offset 12: inflate returned -3\n"
            "fatal: fetch-pack: invalid index-pack output"
        ),
        "fatal: protocol error: bad pack header",
    ],
    "SourceTooLarge": [
        "fatal: write error: File too large\nfatal: fetch-pack: invalid index-pack output",
        "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
    ],
    "SourceUnreachable": [
        f"{ACCESS}Could not resolve host: git.example.com",
        (
            f"{ACCESS}Failed to connect to git.example.com port 443 after 0 ms: Couldn't connect to"
            " server"
        ),
        (f"{ACCESS}Operation too slow. Less than 1 bytes/sec transferred the last 60 seconds"),
        f"{ACCESS}The requested URL returned error: 503",
        f"{ACCESS}The requested URL returned error: 429",
        (
            "error: RPC failed; HTTP 429 curl 22 The requested URL returned error: 429\n"
            "fatal: expected flush after ref listing"
        ),
        f"{ACCESS}GnuTLS recv error (-110): The TLS connection was non-properly terminated.",
        f"{ACCESS}gnutls_handshake() failed: An unexpected TLS packet was received.",
        f"{ACCESS}Received HTTP/0.9 when not allowed",
        # A connection that ends within a pack: no broken pack, though git says that, too.
        (
            "error: RPC failed; curl 56 GnuTLS recv error (-110): The TLS connection was"
            " non-properly terminated.\nerror: 166 bytes of body are still expected\n"
            "fetch-pack: unexpected disconnect while reading sideband packet\n"
            "fatal: protocol error: bad pack header"
        ),
        (
            "fatal: remote-curl: bad line length character: zzzz\n"
            "fatal: expected flush after ref listing"
        ),
        "fatal: protocol error: bad line length character: This",
        f"ssh: Could not resolve hostname a.invalid: Name or service not known\n{CANNOT_READ}",
        f"ssh: connect to host 127.0.0.1 port 1: Connection refused\n{CANNOT_READ}",
        f"ssh: connect to host 2001:db8::1 port 22: No route to host\n{CANNOT_READ}",
        (
            "kex_exchange_identification: Connection closed by remote host\n"
            f"Connection closed by 127.0.0.1 port 50291\n{CANNOT_READ}"
        ),
        f"Connection reset by 127.0.0.1 port 41807\n{CANNOT_READ}",
    ],
    "AgentFailed": ["fatal: unable to create thread: Resource temporarily unavailable", ""],
}
# Of servers and disks that are not to be had here.
OTHERS = {
    "GitRefNotFound": [f"fatal: remote error: want {'0' * 40} not valid"],
    "SourceNotFound": [f"ERROR: Repository not found.\n{CANNOT_READ}"],
    "SourceTooLarge": ["fatal: write error: Disk quota exceeded"],
}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (words, reason)
        for table in (SAID, OTHERS)
        for reason, all_ in table.items()
        for words in all_
    ],
)
def test_what_git_says_has_a_name(words: str, reason: str) -> None:
    assert gitwords.read(words, 128).reason == reason


def test_the_message_is_a_fact_a_next_step_and_gits_own_words_on_one_line() -> None:
    error = gitwords.read(
        f"remote: hint\nhint: noise\n\nfatal: repository '{URL}/' not found\n", 128
    )
    assert str(error).startswith("the server has no such repository, or does not show it")
    assert str(error).endswith(
        f"check source.git.url: remote: hint; fatal: repository '{URL}/' not found"
    )
    assert str(gitwords.read("", 1)) == "git failed with 1: no words"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("clone of 'https://ada:pa55word@a.example/b' failed", "'https://…@a.example/b'"),
        ("clone of 'https://ghp_0123@a.example/b' failed", "'https://…@a.example/b'"),
        ("clone of 'https://:pa55word@a.example/b' failed", "'https://…@a.example/b'"),
        ("git@a.example: Permission denied", "git@a.example"),
        ("fatal: 'ssh://git@a.example/b' is not", "'ssh://git@a.example/b'"),
        ("offer: aes128-gcm@openssh.com", "aes128-gcm@openssh.com"),
    ],
)
def test_a_password_in_a_url_is_not_repeated(said: str, shown: str) -> None:
    assert shown in gitwords.shown(said)


def test_endless_words_are_cut() -> None:
    error: AgentError = gitwords.read(
        "remote: x\n" * 10_000 + "fatal: couldn't find remote ref a", 1
    )
    assert len(str(error)) < 800
    assert str(error).endswith("couldn't find remote ref a")
