"""What git, curl and ssh say, and what it means.

`test_git_clones` and `test_git_ssh` make real servers cause most of it; here are the words alone,
with those of servers that cannot be made here.
"""

import pytest

from cijob_agent import gitwords
from cijob_agent.errors import AgentError

URL = "https://git.example.com/a.git"
CANNOT_READ = """fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists."""
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Host key verification failed.
"""
SAID = {
    "GitAuthFailed": [
        "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled",
        f"remote: HTTP Basic: Access denied\nfatal: Authentication failed for '{URL}/'",
        f"fatal: unable to access '{URL}/': The requested URL returned error: 403",
        f"git@git.example.com: Permission denied (publickey).\n{CANNOT_READ}",
        f'Load key "/tmp/k": error in libcrypto\nPermission denied (publickey).\n{CANNOT_READ}',
    ],
    "GitHostKey": [
        CHANGED + CANNOT_READ,
        (
            "No ED25519 host key is known for git.example.com and you have requested"
            " strict checking.\n"
            f"Host key verification failed.\n{CANNOT_READ}"
        ),
        (
            f"fatal: unable to access '{URL}/': server certificate verification failed."
            " CAfile: none CRLfile: none"
        ),
        f"fatal: unable to access '{URL}/': SSL certificate problem: certificate has expired",
        (
            f"fatal: unable to access '{URL}/': SSL: no alternative certificate subject name"
            " matches target host name 'git.example.com'"
        ),
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
        f"fatal: '/srv/nope.git' does not appear to be a git repository\n{CANNOT_READ}",
        f"ERROR: Repository not found.\n{CANNOT_READ}",
        f"fatal: unable to access '{URL}/': The requested URL returned error: 410",
        f"fatal: {URL}/info/refs not valid: is this a git repository?",
    ],
    "SourceRejected": [
        (
            "error: object 92e68dc3ce6e75660c46b856460752c1016c4cd8: hasDotgit: contains '.git'\n"
            "fatal: fsck error in packed object\nfatal: fetch-pack: invalid index-pack output"
        ),
        "fatal: transport 'ext' not allowed\nfatal: clone of 'ext::sh' into submodule s failed",
        f"fatal: unable to access '{URL}/': Protocol \"http\" not supported or disabled in libcurl",
        "fatal: strange hostname '-oProxyCommand=id' blocked",
        "fatal: dumb http transport does not support shallow capabilities",
    ],
    "SourceTooLarge": [
        "fatal: write error: File too large\nfatal: fetch-pack: invalid index-pack output",
        "fatal: write error: No space left on device\nerror: index-pack failed",
    ],
    "SourceUnreachable": [
        f"fatal: unable to access '{URL}/': Could not resolve host: git.example.com",
        (
            f"fatal: unable to access '{URL}/': Failed to connect to git.example.com port 443 after"
            " 0 ms: Couldn't connect to server"
        ),
        (
            f"fatal: unable to access '{URL}/': Operation too slow. Less than 1 bytes/sec"
            " transferred the last 60 seconds"
        ),
        f"fatal: unable to access '{URL}/': The requested URL returned error: 503",
        f"fatal: unable to access '{URL}/': The requested URL returned error: 429",
        (
            "error: RPC failed; curl 56 GnuTLS recv error (-9): Error decoding a packet.\n"
            "fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF\n"
            "fatal: fetch-pack: invalid index-pack output"
        ),
        "ssh: Could not resolve hostname git.example.com: Name or service not known\n"
        + CANNOT_READ,
        f"ssh: connect to host git.example.com port 22: Connection refused\n{CANNOT_READ}",
        f"kex_exchange_identification: Connection closed by remote host\n{CANNOT_READ}",
    ],
    "AgentFailed": ["fatal: unable to create thread: Resource temporarily unavailable", ""],
}


@pytest.mark.parametrize(
    ("words", "reason"), [(words, reason) for reason, all_ in SAID.items() for words in all_]
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


def test_endless_words_are_cut() -> None:
    error: AgentError = gitwords.read(
        "remote: x\n" * 10_000 + "fatal: couldn't find remote ref a", 1
    )
    assert len(str(error)) < 800
    assert str(error).endswith("couldn't find remote ref a")
