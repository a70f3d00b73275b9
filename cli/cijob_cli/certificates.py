"""Why a gateway's certificate is not believed, in words. Called by transport. Pure."""

import ssl

_OTHER_NAME = 62  # X509_V_ERR_HOSTNAME_MISMATCH: openssl/x509_vfy.h


def distrust(error: BaseException | None) -> str:
    """What is wrong with the certificate that a connection failed at; empty if it is not that."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    if error is None:
        return ""
    words = error.verify_message.rstrip(".")
    if error.verify_code == _OTHER_NAME:
        return f"{words}; whoever runs it gives its certificate that name, too"
    return (
        f"its certificate cannot be verified ({words}); set SSL_CERT_FILE to a file with the "
        "authority that issued it, in PEM"
    )
