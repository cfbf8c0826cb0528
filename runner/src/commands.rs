//! One file per subcommand. All but `serve` and `bench` are clients of the component's `/api`.

pub(crate) mod bench;
pub(crate) mod catalog;
mod client;
pub(crate) mod health;
pub(crate) mod init;
pub(crate) mod keys;
mod moment;
mod output;
pub(crate) mod provide;
pub(crate) mod records;
pub(crate) mod serve;
mod table;
pub(crate) mod token;
