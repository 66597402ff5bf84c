//! The channel binding `tls-server-end-point` (RFC 5929, section 4.1): a hash of the server's certificate.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The hash by the algorithm of the certificate's own signature, SHA-256 in place of MD5 and SHA-1. `None` for
/// signatures that name no such hash (Ed25519), for which the RFC defines nothing.
pub(super) fn server_end_point(cert: &CertificateDer<'_>) -> Option<Vec<u8>> {
    // Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID, parameters }, … }
    let (certificate, _) = element(cert)?;
    let (_, rest) = element(certificate)?;
    let (algorithm, _) = element(rest)?;
    let (oid, parameters) = element(algorithm)?;
    Some(match hash_of(oid, parameters)? {
        Hash::Sha256 => Sha256::digest(cert).to_vec(),
        Hash::Sha384 => Sha384::digest(cert).to_vec(),
        Hash::Sha512 => Sha512::digest(cert).to_vec(),
    })
}

enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// 1.2.840.113549.1.1 (RFC 8017, appendix C).
const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4 (RFC 5758).
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
/// 2.16.840.1.101.3.4.2, the SHA-2 family (RFC 5754).
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

fn hash_of(oid: &[u8], parameters: &[u8]) -> Option<Hash> {
    if let Some(tail) = oid.strip_prefix(&RSA) {
        return match tail {
            // md5 and sha1 with RSA; sha256 with RSA.
            [4 | 5 | 11] => Some(Hash::Sha256),
            [12] => Some(Hash::Sha384),
            [13] => Some(Hash::Sha512),
            [10] => pss(parameters),
            _ => None,
        };
    }
    match oid.strip_prefix(&ECDSA)? {
        [1] | [3, 2] => Some(Hash::Sha256),
        [3, 3] => Some(Hash::Sha384),
        [3, 4] => Some(Hash::Sha512),
        _ => None,
    }
}

/// RSASSA-PSS names its hash in its parameters: SEQUENCE { [0] { SEQUENCE { OID … } } … }, SHA-1 where absent.
fn pss(parameters: &[u8]) -> Option<Hash> {
    let (sequence, _) = element(parameters)?;
    if sequence.first() != Some(&0xa0) {
        return Some(Hash::Sha256);
    }
    let (tagged, _) = element(sequence)?;
    let (algorithm, _) = element(tagged)?;
    let (oid, _) = element(algorithm)?;
    match oid.strip_prefix(&SHA2) {
        Some([1]) | None => Some(Hash::Sha256),
        Some([2]) => Some(Hash::Sha384),
        Some([3]) => Some(Hash::Sha512),
        Some(_) => None,
    }
}

/// Content of the DER element at the beginning, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}
