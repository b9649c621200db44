//! TLS: its vocabulary; connections are not served by it yet.

use crate::config::choices::TlsAuthClients;
use crate::config::directive::Effect;
use crate::config::section::section;

const KEPT: Effect = Effect::Inert("TLS is not served yet");
const REFUSED: Effect =
    Effect::Refused("TLS is not served yet: put a TLS proxy in front of the server");

section! {
    /// TLS.
    Tls at tls titled "TLS" {
        auth_clients: TlsAuthClients = TlsAuthClients::Yes, choice, [], KEPT,
            "tls-auth-clients" =>
            "Whether clients must show a certificate.";
        ca_cert_dir: String = String::new(), optional_text, [], KEPT,
            "tls-ca-cert-dir" =>
            "A folder of certificates of the authorities that are trusted.";
        ca_cert_file: String = String::new(), optional_text, [], KEPT,
            "tls-ca-cert-file" =>
            "A file of certificates of the authorities that are trusted.";
        cert_file: String = String::new(), optional_text, [], KEPT,
            "tls-cert-file" =>
            "The server's certificate.";
        ciphers: String = String::new(), optional_text, [], KEPT,
            "tls-ciphers" =>
            "The ciphers for TLS 1.2, in OpenSSL's names.";
        cipher_suites: String = String::new(), optional_text, [], KEPT,
            "tls-ciphersuites" =>
            "The cipher suites for TLS 1.3, in OpenSSL's names.";
        client_cert_file: String = String::new(), optional_text, [], KEPT,
            "tls-client-cert-file" =>
            "The certificate for connections to other servers.";
        client_key_file: String = String::new(), optional_text, [], KEPT,
            "tls-client-key-file" =>
            "The key for connections to other servers.";
        client_key_password: String = String::new(), optional_text, [SENSITIVE], KEPT,
            "tls-client-key-file-pass" =>
            "The password of that key.";
        cluster: bool = false, yes_no, [], REFUSED,
            "tls-cluster" =>
            "Whether the cluster bus uses TLS.";
        dh_params_file: String = String::new(), optional_text, [], KEPT,
            "tls-dh-params-file" =>
            "Diffie-Hellman parameters for old clients.";
        key_file: String = String::new(), optional_text, [], KEPT,
            "tls-key-file" =>
            "The server's private key.";
        key_password: String = String::new(), optional_text, [SENSITIVE], KEPT,
            "tls-key-file-pass" =>
            "The password of the server's private key.";
        port: u16 = 0, integer(0, 65535), [], REFUSED,
            "tls-port" =>
            "The port for TLS; 0 turns it off.";
        prefer_server_ciphers: bool = false, yes_no, [], KEPT,
            "tls-prefer-server-ciphers" =>
            "Whether the server's order of ciphers counts, not the client's.";
        protocols: String = String::new(), optional_text, [], KEPT,
            "tls-protocols" =>
            "The versions of TLS that are spoken, such as TLSv1.2 TLSv1.3.";
        replication: bool = false, yes_no, [], REFUSED,
            "tls-replication" =>
            "Whether the link to the primary uses TLS.";
        session_cache_size: u32 = 20 * 1024, integer(0, i32::MAX), [], KEPT,
            "tls-session-cache-size" =>
            "How many sessions are kept for quick reconnection; 0 is no limit.";
        session_cache_timeout_seconds: u32 = 300, integer(0, i32::MAX), [], KEPT,
            "tls-session-cache-timeout" =>
            "How long sessions are kept.";
        session_caching: bool = true, yes_no, [], KEPT,
            "tls-session-caching" =>
            "Whether sessions are kept for quick reconnection.";
    }
}
