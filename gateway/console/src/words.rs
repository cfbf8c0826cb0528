//! The words of the console, page by page. A word is written once in every language side by side, so that one without
//! the other does not compile; one that nobody uses is reported as dead code. Sentences are written whole in each
//! language, with names for what is put in, and never joined of fragments.

/// Words of a page: `name = "English" | "中文";`, and with what is put in: `name(count) = "{count} calls" | "{count} 次";`.
macro_rules! words {
    ($($name:ident $(($($put:ident),+))? = $english:literal | $chinese:literal;)+) => {
        /// The words of one page in one language.
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct Words(pub(crate) $crate::language::Language);

        impl Words {
            $($crate::words::words!(@word $name $(($($put),+))? = $english | $chinese);)+
        }
    };
    (@word $name:ident = $english:literal | $chinese:literal) => {
        pub(crate) fn $name(self) -> &'static str {
            match self.0 {
                $crate::language::Language::English => $english,
                $crate::language::Language::Chinese => $chinese,
            }
        }
    };
    (@word $name:ident ($($put:ident),+) = $english:literal | $chinese:literal) => {
        pub(crate) fn $name(self, $($put: impl std::fmt::Display),+) -> String {
            match self.0 {
                $crate::language::Language::English => format!($english),
                $crate::language::Language::Chinese => format!($chinese),
            }
        }
    };
}
pub(crate) use words;

pub(crate) mod add_provider;
pub(crate) mod bodies;
pub(crate) mod connect;
pub(crate) mod conversations;
pub(crate) mod edit;
pub(crate) mod error;
pub(crate) mod figures;
pub(crate) mod frame;
pub(crate) mod history;
pub(crate) mod key_forms;
pub(crate) mod keys;
pub(crate) mod me;
pub(crate) mod model_forms;
pub(crate) mod models;
pub(crate) mod overview;
pub(crate) mod playground;
pub(crate) mod providers;
pub(crate) mod quota;
pub(crate) mod record;
pub(crate) mod records;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod states;
pub(crate) mod trouble;
