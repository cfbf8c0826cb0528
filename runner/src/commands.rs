//! One file per subcommand. All but `serve` and `bench` are clients of the component's `/api`.

pub(crate) mod backup;
pub(crate) mod bench;
pub(crate) mod catalog;
mod client;
mod clock;
pub(crate) mod doctor;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod keys;
mod moment;
mod output;
pub(crate) mod provide;
pub(crate) mod quota;
pub(crate) mod records;
pub(crate) mod route;
pub(crate) mod serve;
mod table;
pub(crate) mod test;
pub(crate) mod token;
