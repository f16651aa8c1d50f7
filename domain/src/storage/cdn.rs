//! A CDN in front of the bucket: addresses of objects there, and the signatures by which CloudFront admits viewers.
//!
//! RSA or ECDSA over SHA-256, which CloudFront takes since 2026 when it is named (it assumes SHA-1 otherwise). By ring,
//! which TLS brings along: the RSA of pure Rust leaks its timing (RUSTSEC-2023-0071), and ring signs no SHA-1.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject as _};
use url::Url;

/// How to reach the CDN.
#[derive(Debug, Clone)]
pub struct CdnOptions {
    /// What an object's key is appended to.
    pub url: Url,
    /// The key that the CDN knows us by; none for one that serves whoever knows an address.
    pub key: Option<CdnKey>,
}

/// A key of a trusted key group of CloudFront.
#[derive(Clone)]
pub struct CdnKey {
    /// The id that CloudFront gave the public key.
    pub id: String,
    /// The private key as PEM: RSA of 2048 bits or more, or ECDSA over P-256.
    pub pem: String,
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum CdnError {
    /// The text is no private key.
    #[error("is no private key in PEM: {0}")]
    Pem(String),
    /// It is a key of a kind that is not taken.
    #[error("must be an RSA key of 2048 to 4096 bits or a P-256 key in PKCS#8: {0}")]
    Key(String),
    /// The system gave no random bytes.
    #[error("nothing could be signed")]
    Sign,
}

/// The CDN; clones share the key.
#[derive(Debug, Clone)]
pub struct Cdn {
    base: Arc<str>,
    signer: Option<Arc<Signer>>,
}

/// A signed policy: who shows it may get what its resource names, until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Seconds since 1970.
    pub expires_at: u64,
    policy: String,
    signature: String,
    key_id: String,
}

struct Signer {
    id: String,
    key: Key,
    random: SystemRandom,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

impl Cdn {
    /// Reads the key; nothing is contacted.
    ///
    /// # Errors
    /// [`CdnError`] when the key is none.
    pub fn new(options: &CdnOptions) -> Result<Self, CdnError> {
        Ok(Self {
            base: options.url.as_str().trim_end_matches('/').into(),
            signer: options
                .key
                .as_ref()
                .map(|key| Signer::new(key).map(Arc::new))
                .transpose()?,
        })
    }

    /// Whether viewers must show a [`Pass`].
    pub fn signs(&self) -> bool {
        self.signer.is_some()
    }

    /// The address of an object, or with a `*` at the end, of all whose keys begin so. Keys are made by us, of
    /// characters that need no escaping.
    pub fn url(&self, key: &str) -> String {
        format!("{}/{key}", self.base)
    }

    /// A pass for the objects that `key` names, as for [`Cdn::url`]; none if the CDN asks for none.
    ///
    /// # Errors
    /// [`CdnError::Sign`]
    pub fn pass(&self, key: &str, expires_at: u64) -> Result<Option<Pass>, CdnError> {
        let Some(signer) = &self.signer else {
            return Ok(None);
        };
        // Exactly as CloudFront puts it together when it reads `Expires`: no blank, and this order.
        let policy = format!(
            r#"{{"Statement":[{{"Resource":"{}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires_at}}}}}}}]}}"#,
            self.url(key)
        );
        let signature = encode(&signer.sign(policy.as_bytes())?);
        Ok(Some(Pass {
            expires_at,
            policy,
            signature,
            key_id: signer.id.clone(),
        }))
    }
}

impl Pass {
    /// As cookies, names and values: for many objects (a custom policy, which travels along).
    pub fn cookies(&self) -> [(&'static str, String); 4] {
        [
            ("CloudFront-Policy", encode(self.policy.as_bytes())),
            ("CloudFront-Signature", self.signature.clone()),
            ("CloudFront-Key-Pair-Id", self.key_id.clone()),
            ("CloudFront-Hash-Algorithm", "SHA256".to_owned()),
        ]
    }

    /// As the query of an address: for the one object that the pass names (a canned policy, which CloudFront puts
    /// together itself).
    pub fn query(&self) -> String {
        format!(
            "Expires={}&Signature={}&Key-Pair-Id={}&Hash-Algorithm=SHA256",
            self.expires_at, self.signature, self.key_id
        )
    }
}

impl Signer {
    fn new(key: &CdnKey) -> Result<Self, CdnError> {
        let random = SystemRandom::new();
        let der = PrivateKeyDer::from_pem_slice(key.pem.as_bytes())
            .map_err(|error| CdnError::Pem(error.to_string()))?;
        let refused = |error: ring::error::KeyRejected| CdnError::Key(error.to_string());
        let pair = match &der {
            PrivateKeyDer::Pkcs1(der) => Key::Rsa(
                RsaKeyPair::from_der(der.secret_pkcs1_der())
                    .map_err(refused)?
                    .into(),
            ),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                match EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random) {
                    Ok(pair) => Key::P256(pair.into()),
                    Err(_) => Key::Rsa(RsaKeyPair::from_pkcs8(der).map_err(refused)?.into()),
                }
            }
            _ => {
                return Err(CdnError::Key(
                    "convert it by `openssl pkcs8 -topk8 -nocrypt`".to_owned(),
                ));
            }
        };
        Ok(Self {
            id: key.id.clone(),
            key: pair,
            random,
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CdnError> {
        match &self.key {
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)
                    .map_err(|_| CdnError::Sign)?;
                Ok(signature)
            }
            Key::P256(pair) => pair
                .sign(&self.random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| CdnError::Sign),
        }
    }
}

/// Base64 in CloudFront's letters.
fn encode(bytes: &[u8]) -> String {
    STANDARD
        .encode(bytes)
        .replace('+', "-")
        .replace('=', "_")
        .replace('/', "~")
}

impl fmt::Debug for CdnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CdnKey({})", self.id)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    };

    use super::*;

    /// Made for tests by `openssl genrsa 2048`, and good for nothing else.
    const RSA: &str = include_str!("fixtures/cdn_test_key.pem");
    const RSA_PUBLIC: &[u8] = include_bytes!("fixtures/cdn_test_key.pub.der");

    fn cdn(pem: &str) -> Result<Cdn, CdnError> {
        Cdn::new(&CdnOptions {
            url: "https://media.example.org/".parse().unwrap(),
            key: Some(CdnKey {
                id: "K2JCJMDEHXQW5F".to_owned(),
                pem: pem.to_owned(),
            }),
        })
    }

    fn decode(text: &str) -> Vec<u8> {
        let plain = text.replace('-', "+").replace('_', "=").replace('~', "/");
        STANDARD.decode(plain).unwrap()
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    }

    #[test]
    fn a_pass_is_signed_by_the_key_and_says_what_it_is_for() {
        let pass = cdn(RSA)
            .unwrap()
            .pass("hls/v/1/*", 1_767_290_400)
            .unwrap()
            .unwrap();
        let [(_, policy), (_, signature), (_, id), (_, hash)] = pass.cookies();
        assert_eq!((id.as_str(), hash.as_str()), ("K2JCJMDEHXQW5F", "SHA256"));
        let policy = decode(&policy);
        assert_eq!(
            std::str::from_utf8(&policy).unwrap(),
            r#"{"Statement":[{"Resource":"https://media.example.org/hls/v/1/*","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}"#
        );
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, RSA_PUBLIC);
        public.verify(&policy, &decode(&signature)).unwrap();
        assert!(public.verify(b"{}", &decode(&signature)).is_err());
        // What `openssl dgst -sha256 -sign | base64 | tr '+=/' '-_~'` makes of the same policy.
        assert_eq!(
            signature,
            "fwc-0YMjsO2J~SUFEqghipWWdLGBMfW-vz5g-whuOmpwYgcoTWykluaFD6bcf~DuOoA~01rpopZ5XU9MpbR7vI\
             AHXFSK1KS808dJAtJ6m9WN93Ivyc-i4u6qM~vgrLADsxCzvhwFHv2ORd5s1M5NIWXffEhLRQcyeilUTZB9o9aZ\
             ATUWuYZfyOGaJ7DxuHxrGllPfuWTlBfz8TvFmIk-35z4BWjOlDbO9d8GB92Ui9kr6ccfpUT3Mb1f~UrHx65d7D\
             pHVbO0oIcw2IEmpR8ibXsnkt-ljmDqUWqNJzWAY0c~q-G3G7M3vYuDLfIpxd0XLJV7MyKmsI8xiXUqmQfFYg__"
        );
        assert!(
            signature
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_~".contains(&c))
        );
    }

    #[test]
    fn an_address_carries_the_same_signature_without_the_policy() {
        let cdn = cdn(RSA).unwrap();
        let pass = cdn.pass("images/v/1/poster.jpg", 9).unwrap().unwrap();
        let [_, (_, signature), ..] = pass.cookies();
        assert_eq!(
            pass.query(),
            format!(
                "Expires=9&Signature={signature}&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256"
            )
        );
        assert_eq!(
            cdn.url("images/v/1/poster.jpg"),
            "https://media.example.org/images/v/1/poster.jpg"
        );
    }

    #[test]
    fn elliptic_keys_sign_too() {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
                .unwrap();
        let cdn = cdn(&pem("PRIVATE KEY", document.as_ref())).unwrap();
        let pass = cdn.pass("x", 1).unwrap().unwrap();
        let [(_, policy), (_, signature), ..] = pass.cookies();
        let Key::P256(pair) = &cdn.signer.unwrap().key else {
            panic!("an RSA key")
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref())
            .verify(&decode(&policy), &decode(&signature))
            .unwrap();
    }

    #[test]
    fn a_key_may_be_wrapped_or_not() {
        let PrivateKeyDer::Pkcs8(wrapped) = PrivateKeyDer::from_pem_slice(RSA.as_bytes()).unwrap()
        else {
            panic!("another format")
        };
        // What is around an RSA key of this size has 26 bytes.
        let bare = pem("RSA PRIVATE KEY", &wrapped.secret_pkcs8_der()[26..]);
        let pass = |pem: &str| cdn(pem).unwrap().pass("x", 1).unwrap();
        assert_eq!(pass(&bare), pass(RSA));
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_printed() {
        assert!(matches!(cdn("nonsense"), Err(CdnError::Pem(_))));
        let broken = RSA.replace('a', "b");
        assert!(cdn(&broken).is_err());
        let printed = format!("{:?}", cdn(RSA).unwrap());
        assert!(
            !printed.contains("PRIVATE") && printed.contains("K2JC"),
            "{printed}"
        );
    }

    #[test]
    fn without_a_key_there_is_nothing_to_show() {
        let plain = Cdn::new(&CdnOptions {
            url: "https://cdn.example.org/media".parse().unwrap(),
            key: None,
        })
        .unwrap();
        assert!(!plain.signs() && plain.pass("x", 1).unwrap().is_none());
        assert_eq!(plain.url("hls/x"), "https://cdn.example.org/media/hls/x");
    }
}
