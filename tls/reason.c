/* reason: see reason.h. */
#include "tls/reason.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>

struct row {
    int reason; /* of OpenSSL's library ssl */
    const char *text;
};

/* What comes up when two sides do not fit together; for the rest OpenSSL's own words must do. An `ALERT` is
 * what the peer sent. */
static const struct row rows[] = {
    {SSL_R_WRONG_VERSION_NUMBER, "what came is not TLS (a server without tls-cert is reached with shunt://)"},
    {SSL_R_HTTP_REQUEST, "what came is HTTP and not TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the two sides have no version of TLS in common (tls-min-version)"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "the two sides have no version of TLS in common (tls-min-version)"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the two sides have no version of TLS in common (tls-min-version)"},
    {SSL_R_NO_SHARED_CIPHER, "the two sides have no cipher in common"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the peer finds nothing that both sides can do"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE,
     "the client has shown no certificate, and tls-client-auth is require"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
     "the server wants a certificate of the client: give the URL cert= and key="},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA,
     "the peer does not know the authority of the certificate that it was shown"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the certificate that the peer was shown has expired, it says"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer does not accept the certificate that it was shown"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the peer does not accept the certificate that it was shown"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "the connection was cut off: it ended before TLS did"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged on the way"},
    {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "a record is longer than TLS allows"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "a record is longer than TLS allows"},
    {SSL_R_DATA_LENGTH_TOO_LONG, "a record is longer than TLS allows"},
};

/* What is wrong with a certificate. */
static const char *verified(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "it has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "it is not valid yet, or a clock is wrong";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "it is for other names than the host of the URL";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its authority is not known here (ca= of the URL names one, tls-client-ca those of clients)";
    default:
        return X509_verify_cert_error_string(result);
    }
}

void tls_reason(const SSL *ssl, char *to, size_t size)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    const char *text = ERR_reason_error_string(error);
    for (size_t i = 0; reason && i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].reason == reason)
            text = rows[i].text;
    }
    if (ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        (void)snprintf(to, size, "the peer's certificate is not accepted: %s",
                       verified(SSL_get_verify_result(ssl)));
    } else {
        (void)snprintf(to, size, "%s", text ? text : "no reason is known");
    }
    ERR_clear_error();
}
