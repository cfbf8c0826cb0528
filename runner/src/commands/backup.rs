//! `llmio backup` and `llmio restore`: a data folder in one file, and the way back. They need no component: a backup must be
//! possible where it does not start.

use super::output::{print, remark};
use super::provide::variable;
use crate::backup::{self, BackupOptions, Made, Restored};
use crate::data_folder;
use crate::exit::{self, Exit};
use crate::language;
use crate::options::Settings;
use crate::start;
use anyhow::Result;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

/// The variable that holds the passphrase where nobody can be asked for it.
const PASSPHRASE: &str = "LLMIO_BACKUP_PASSPHRASE";
/// A shorter passphrase can be found by trying.
const PASSPHRASE_CHARACTERS_MIN: usize = 8;

/// What is backed up.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArguments {
    /// File to write; an existing file is not replaced
    file: PathBuf,

    /// Put master key, token and key files in it too, under a passphrase, which is asked for or read from
    /// LLMIO_BACKUP_PASSPHRASE
    #[arg(long)]
    with_secrets: bool,

    /// Put recorded requests and answers in it too
    #[arg(long)]
    with_bodies: bool,
}

/// What is restored.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArguments {
    /// A file that `llmio backup` made
    file: PathBuf,
}

/// Writes a backup, whether a server runs or not.
pub(crate) fn backup(settings: &Settings, arguments: &BackupArguments) -> Result<()> {
    start::prepare_process();
    let passphrase = if arguments.with_secrets { Some(new_passphrase()?) } else { None };
    let options = BackupOptions { passphrase: passphrase.as_deref(), bodies: arguments.with_bodies };
    let Made { bytes, left_out, secrets } = backup::backup(&settings.data, &arguments.file, &options)?;
    let (file, language) = (arguments.file.display(), language::of_process());
    print(&language.pick(format!("{file}: {bytes} bytes\n"), format!("{file}：{bytes} 字节\n")))?;
    if secrets.is_empty() {
        remark(language.pick(
            "master.key and token are not in it. Keep a copy of master.key elsewhere: it opens the stored credentials.",
            "不含 master.key 和 token：请另外保管 master.key，它是打开所存密钥的唯一方法。",
        ));
    } else {
        let names = secrets.join(", ");
        remark(&language.pick(format!("Under the passphrase: {names}."), format!("以口令加密保存：{names}。")));
    }
    if !left_out.is_empty() {
        let names = left_out.join(", ");
        remark(&language.pick(format!("Left out: {names}."), format!("未包含：{names}。")));
    }
    Ok(())
}

/// Puts a backup in the place of the data folder.
pub(crate) fn restore(settings: &Settings, arguments: &RestoreArguments) -> Result<()> {
    start::prepare_process();
    if let Some(address) = data_folder::running_server(&settings.data) {
        let folder = settings.data.display();
        let english = format!(
            "a server runs on {folder} (http://{address}); stop it first, or restore into a new folder with --data DIR"
        );
        let chinese =
            format!("{folder} 上有服务器正在运行（http://{address}）；请先停止它，或用 --data DIR 恢复到新目录");
        return Err(Exit::new(exit::TEMPORARY, language::of_process().pick(english, chinese)).into());
    }
    let restored = backup::restore(&arguments.file, &settings.data, passphrase)?;
    tell(settings, &restored)
}

fn tell(settings: &Settings, restored: &Restored) -> Result<()> {
    let (folder, at, language) = (settings.data.display(), &restored.at, language::of_process());
    print(&language.pick(format!("{folder} is as it was at {at}.\n"), format!("{folder} 已恢复到 {at} 的状态。\n")))?;
    if let Some(kept) = &restored.kept {
        let kept = kept.display();
        remark(&language.pick(
            format!("What was there is kept in {kept}. Keys that were revoked since then work again."),
            format!("原有内容保存在 {kept}。此后吊销的密钥会重新有效。"),
        ));
    }
    if restored.raised > 0 {
        let count = restored.raised;
        remark(&language.pick(
            format!("Spent since then, and still counted: {count} entries of limits."),
            format!("此后的用量仍然计入：{count} 条限额记录。"),
        ));
    }
    if !restored.left_out.is_empty() {
        let names = restored.left_out.join(", ");
        remark(&language.pick(format!("Not in the backup: {names}."), format!("备份中不包含：{names}。")));
    }
    if !restored.has_master_key {
        remark(language.pick(
            "There is no master.key: put back the one of that time, or set LLMIO_MASTER_KEY; without it stored \
             credentials cannot be opened.",
            "没有 master.key：请放回当时的那一份，或设置 LLMIO_MASTER_KEY；否则无法打开所存的密钥。",
        ));
    }
    Ok(())
}

/// The passphrase of an existing backup.
fn passphrase() -> Result<String> {
    match variable(PASSPHRASE) {
        Some(passphrase) => Ok(passphrase),
        None => prompt(language::of_process().pick("Passphrase of the backup: ", "备份的口令：")),
    }
}

/// A passphrase for a new backup. A person types it twice.
fn new_passphrase() -> Result<String> {
    let language = language::of_process();
    let passphrase = match variable(PASSPHRASE) {
        Some(passphrase) => passphrase,
        None => {
            let first = prompt(language.pick("New passphrase for the backup: ", "为备份设置口令："))?;
            let second = prompt(language.pick("The same again: ", "再输入一次："))?;
            if first != second {
                return Err(Exit::new(exit::CONFIG, language.pick("the two differ", "两次输入不一致")).into());
            }
            first
        }
    };
    if passphrase.chars().count() < PASSPHRASE_CHARACTERS_MIN {
        let message = language.pick("the passphrase has fewer than 8 characters", "口令少于 8 个字符");
        return Err(Exit::new(exit::CONFIG, message).into());
    }
    Ok(passphrase)
}

fn prompt(question: &str) -> Result<String> {
    if !io::stdin().is_terminal() {
        let message = language::of_process().pick(
            "nobody can be asked for the passphrase here; set LLMIO_BACKUP_PASSPHRASE",
            "此处无法询问口令；请设置 LLMIO_BACKUP_PASSPHRASE",
        );
        return Err(Exit::new(exit::CONFIG, message).into());
    }
    Ok(rpassword::prompt_password(question)?)
}
