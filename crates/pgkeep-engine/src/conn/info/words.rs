//! Parameters that take one word of a few; names and meanings are libpq's (PostgreSQL documentation, "Parameter Key
//! Words").

use super::bad;
use crate::error::Result;

/// An enum of words, with the way from and to them.
macro_rules! words {
    ($(#[$about:meta])* $name:ident as $key:literal { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            pub(super) fn parse(word: &str) -> Result<Self> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(bad(format!("{} \"{word}\" is unknown", $key))
                        .hint(format!("use one of {}", [$($word),+].join(", ")))),
                }
            }

            /// The word libpq uses.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// How far TLS is wanted and the server's identity checked; the six meanings of libpq's `sslmode`.
    SslMode as "sslmode" {
        /// Never TLS.
        Disable = "disable",
        /// TLS only if the server refuses to go without.
        Allow = "allow",
        /// TLS where the server offers it.
        #[default]
        Prefer = "prefer",
        /// TLS or nothing; the certificate is checked only where a root certificate is named.
        Require = "require",
        /// TLS, and the certificate is signed by a trusted authority.
        VerifyCa = "verify-ca",
        /// TLS, and the certificate is signed by a trusted authority for this very host name.
        VerifyFull = "verify-full",
    }
}

words! {
    /// How TLS begins.
    SslNegotiation as "sslnegotiation" {
        /// PostgreSQL's own question first.
        #[default]
        Postgres = "postgres",
        /// TLS at once, as other protocols have it; servers from 17 on.
        Direct = "direct",
    }
}

words! {
    /// Whether a client certificate may be shown.
    SslCertMode as "sslcertmode" {
        /// Never.
        Disable = "disable",
        /// Where the server asks and there is one.
        #[default]
        Allow = "allow",
    }
}

words! {
    /// Versions of TLS.
    TlsVersion as "a TLS version" {
        /// RFC 2246, not spoken any more.
        V1_0 = "TLSv1",
        /// RFC 4346, not spoken any more.
        V1_1 = "TLSv1.1",
        /// RFC 5246.
        #[default]
        V1_2 = "TLSv1.2",
        /// RFC 8446.
        V1_3 = "TLSv1.3",
    }
}

words! {
    /// Whether the log-in is tied to the TLS session (RFC 5929, tls-server-end-point).
    ChannelBinding as "channel_binding" {
        /// Never.
        Disable = "disable",
        /// Where the server offers it.
        #[default]
        Prefer = "prefer",
        /// Else no connection.
        Require = "require",
    }
}

words! {
    /// Which of several servers will do.
    TargetSession as "target_session_attrs" {
        /// Any.
        #[default]
        Any = "any",
        /// One whose sessions can write.
        ReadWrite = "read-write",
        /// One whose sessions cannot write.
        ReadOnly = "read-only",
        /// No standby.
        Primary = "primary",
        /// A standby.
        Standby = "standby",
        /// A standby, and any where there is none.
        PreferStandby = "prefer-standby",
    }
}

words! {
    /// In which order several hosts are tried.
    LoadBalance as "load_balance_hosts" {
        /// As they are written.
        #[default]
        Disable = "disable",
        /// By chance.
        Random = "random",
    }
}
