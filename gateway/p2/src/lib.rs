//! The part of spin-sdk 7 that the gateway component uses, under the same names, made of WASI 0.2 and Spin's interfaces of
//! version 2. Hosts of that age make an instance for every request: what an instance remembers is gone with its answer.
//!
//! The component is compiled against this crate in place of spin-sdk (feature `wasi-0-2`), so that its source is one. A second
//! set of modules in the component would be the other way; it would double the very code that is hardest to get right.

#![expect(clippy::result_unit_err, reason = "as in WASI")]

mod messages;
mod pipe;
mod tasks;

pub use messages::serve;

/// The bindings that [`wasip3::http::service::export`] needs where it is used.
pub use wasip2;

#[expect(missing_docs, unreachable_pub, reason = "generated from Spin's interfaces")]
mod spin {
    wit_bindgen::generate!({ world: "imports", path: "wit", generate_all });
    pub use fermyon::spin::*;
}

/// The application's variables.
pub mod variables {
    use crate::spin::variables;

    pub use crate::spin::variables::Error;

    /// The value of a variable.
    pub async fn get(key: impl AsRef<str>) -> Result<String, Error> {
        variables::get(key.as_ref())
    }
}

/// The key-value store.
pub mod key_value {
    use crate::spin::key_value;

    pub use crate::spin::key_value::Error;

    /// An open store.
    pub struct Store(key_value::Store);

    /// The keys of a store.
    pub struct Keys(Result<Vec<String>, Error>);

    impl Keys {
        /// All of them.
        pub async fn collect(self) -> Result<Vec<String>, Error> {
            self.0
        }
    }

    impl Store {
        /// Opens the store called `default`.
        pub async fn open_default() -> Result<Self, Error> {
            Self::open("default").await
        }

        /// Opens a store.
        pub async fn open(label: impl AsRef<str>) -> Result<Self, Error> {
            key_value::Store::open(label.as_ref()).map(Store)
        }

        /// The value of a key, if there is one.
        pub async fn get(&self, key: impl AsRef<str>) -> Result<Option<Vec<u8>>, Error> {
            self.0.get(key.as_ref())
        }

        /// Sets the value of a key.
        pub async fn set(&self, key: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<(), Error> {
            self.0.set(key.as_ref(), value.as_ref())
        }

        /// Deletes a key.
        pub async fn delete(&self, key: impl AsRef<str>) -> Result<(), Error> {
            self.0.delete(key.as_ref())
        }

        /// The keys.
        pub async fn get_keys(&self) -> Keys {
            Keys(self.0.get_keys())
        }
    }
}

/// SQLite databases. A statement keeps the instance waiting until it has run.
pub mod sqlite {
    use crate::spin::sqlite;

    pub use crate::spin::sqlite::{Error, RowResult, Value};

    /// The bindings themselves.
    pub mod wit {
        /// The interface.
        pub mod sqlite {
            pub use crate::spin::sqlite::Connection;
        }
    }

    /// An open database.
    pub struct Connection(sqlite::Connection);

    /// What a statement returned.
    pub struct QueryResult(Vec<RowResult>);

    impl QueryResult {
        /// All rows.
        pub async fn collect(self) -> Result<Vec<RowResult>, Error> {
            Ok(self.0)
        }
    }

    impl Connection {
        /// Opens the database called `default`.
        pub async fn open_default() -> Result<Self, Error> {
            sqlite::Connection::open("default").map(Connection)
        }

        /// Runs a statement.
        pub async fn execute(
            &self,
            statement: impl AsRef<str>,
            parameters: impl IntoIterator<Item = Value>,
        ) -> Result<QueryResult, Error> {
            let parameters: Vec<Value> = parameters.into_iter().collect();
            self.0.execute(statement.as_ref(), &parameters).map(|result| QueryResult(result.rows))
        }
    }
}

/// What spin-sdk 7 hands on of WASI 0.3.
pub mod wasip3 {
    pub use crate::tasks::spawn;

    /// Clocks.
    pub mod clocks {
        /// The clock that never goes back.
        pub mod monotonic_clock {
            pub use wasip2::clocks::monotonic_clock::now;

            /// Waits for so many nanoseconds.
            pub async fn wait_for(nanos: u64) {
                crate::tasks::wait_for(nanos).await;
            }
        }

        /// The clock on the wall.
        pub mod system_clock {
            /// A time since 1970.
            pub struct Instant {
                /// Seconds.
                pub seconds: i64,
                /// Nanoseconds beyond the seconds.
                pub nanoseconds: u32,
            }

            /// The time.
            pub fn now() -> Instant {
                let now = wasip2::clocks::wall_clock::now();
                Instant { seconds: i64::try_from(now.seconds).unwrap_or(i64::MAX), nanoseconds: now.nanoseconds }
            }
        }
    }

    /// Random bytes.
    pub mod random {
        /// That nobody can predict.
        #[expect(clippy::module_inception, reason = "as in WASI")]
        pub mod random {
            pub use wasip2::random::random::get_random_bytes;
        }
    }

    /// Streams, futures and turns.
    pub mod wit_bindgen {
        pub use crate::pipe::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};

        /// There are no other requests that could have a turn.
        pub fn yield_blocking() -> bool {
            true
        }
    }

    /// Futures.
    pub mod wit_future {
        pub use crate::pipe::new_future as new;
    }

    /// Streams of bytes.
    pub mod wit_stream {
        pub use crate::pipe::new_stream as new;
    }

    /// What a component exports.
    pub mod exports {
        /// HTTP.
        pub mod http {
            /// The handler of requests.
            pub mod handler {
                pub use crate::messages::Guest;
            }
        }
    }

    /// HTTP.
    pub mod http {
        /// Requests of the component's own.
        pub mod client {
            pub use crate::messages::send;
        }

        /// Requests to the component.
        pub mod service {
            pub use crate::__export_handler as export;
        }

        /// Messages and their parts.
        pub mod types {
            pub use crate::messages::{Fields, Request, RequestOptions, Response, Trailers};
            pub use wasip2::http::types::{DnsErrorPayload, ErrorCode, Method, Scheme, TlsAlertReceivedPayload};
        }
    }
}

/// Exports a handler of requests.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_handler {
    ($guest:ident) => {
        struct Handler;

        impl $crate::wasip2::exports::http::incoming_handler::Guest for Handler {
            fn handle(
                request: $crate::wasip2::http::types::IncomingRequest,
                out: $crate::wasip2::http::types::ResponseOutparam,
            ) {
                $crate::serve::<$guest>(request, out);
            }
        }

        $crate::wasip2::http::proxy::export!(Handler with_types_in $crate::wasip2);
    };
}
