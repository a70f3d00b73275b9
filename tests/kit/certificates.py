"""Certificates for tests of TLS, made by openssl as an administrator would."""

import subprocess
from pathlib import Path


def make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate for that host that vouches for itself, and its key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=x", "-addext", f"subjectAltName=DNS:{host}"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
