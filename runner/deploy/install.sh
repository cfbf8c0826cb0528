#!/bin/sh
# Installs, upgrades or removes the llmio binary on Linux:
#   curl -fsSL https://github.com/${LLMIO_REPOSITORY:?}/releases/latest/download/install.sh | sh
# The copy that comes with a release installs that release and carries the checksums of its archives, so that it does not
# matter where an archive comes from.
set -eu
umask 022

# Written by runner/deploy/pack when a release is made; a copy that belongs to none takes the repository from outside.
RELEASE=''
CHECKSUMS=''

usage() {
    cat <<'END'
install.sh [--mirror URL] [--to DIR] [--service | --no-service] [--release URL]
install.sh --uninstall [--to DIR]

Installs llmio, or upgrades the one that is there: to /usr/local/bin as root, else to ~/.local/bin.

  --mirror URL    fetch the archive from URL/llmio-….tar.gz; its checksum is still the release's
  --to DIR        where the binary belongs
  --service       install and start a systemd service too (as root), without asking
  --no-service    do not offer that
  --release URL   the folder of the release, for a copy of this script that belongs to none
  --uninstall     remove binary and service; what llmio has stored stays
END
}

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
    zh*) chinese=yes ;;
    *) chinese= ;;
esac

# say ENGLISH CHINESE
say() {
    if [ "$chinese" ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi
}

fail() {
    say "install.sh: $1" "install.sh: $2" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# fetch URL FILE
fetch() {
    if has curl; then
        curl -fsSL --retry 3 --connect-timeout 20 -o "$2" "$1"
    elif has wget; then
        wget -q -O "$2" "$1"
    else
        fail "neither curl nor wget is here" "未找到 curl 或 wget"
    fi || fail "$1 cannot be fetched; --mirror URL fetches it from somewhere else" \
        "无法下载 $1；可用 --mirror URL 指定镜像"
}

sha256() {
    if has sha256sum; then
        line=$(sha256sum "$1")
    elif has openssl; then
        line=$(openssl dgst -sha256 -r "$1")
    else
        fail "neither sha256sum nor openssl is here" "未找到 sha256sum 或 openssl"
    fi
    found=${line%% *}
}

find_platform() {
    [ "$(uname -s)" = Linux ] ||
        fail "there are binaries for Linux only; elsewhere run the image, or build from source" \
            "目前只提供 Linux 二进制文件；其他系统请使用容器镜像，或从源码构建"
    case "$(uname -m)" in
        x86_64 | amd64) arch=x86_64 ;;
        aarch64 | arm64) arch=aarch64 ;;
        *) fail "there is no binary for $(uname -m); build from source" "没有适用于 $(uname -m) 的二进制文件；请从源码构建" ;;
    esac
    archive="llmio-$arch-linux.tar.gz"
}

find_place() {
    if [ "$place" ]; then return; fi
    if [ "$(id -u)" = 0 ]; then place=/usr/local/bin; else place="$HOME/.local/bin"; fi
}

# A mirror may serve what it likes: what the archive has to be is known from the release itself.
find_checksum() {
    sums="$CHECKSUMS"
    if [ -z "$sums" ]; then
        fetch "$RELEASE/SHA256SUMS" "$draft/SHA256SUMS"
        sums=$(cat "$draft/SHA256SUMS")
    fi
    wanted=$(printf '%s\n' "$sums" | sed -n "s/^\([0-9a-f]\{64\}\)  $archive\$/\1/p")
    [ "$wanted" ] || fail "the release names no checksum of $archive" "该版本没有 $archive 的校验和"
}

install() {
    if [ -z "$RELEASE" ] && [ "${LLMIO_REPOSITORY:-}" ]; then
        RELEASE="https://github.com/$LLMIO_REPOSITORY/releases/latest/download"
    fi
    [ "$RELEASE" ] || fail "this copy belongs to no release: name one with --release URL, or LLMIO_REPOSITORY=owner/llmio" \
        "此脚本不属于任何版本：请用 --release URL 或 LLMIO_REPOSITORY=owner/llmio 指定"
    mkdir -p "$place" || fail "$place cannot be made; choose another with --to DIR" "无法创建 $place；请用 --to DIR 指定其他目录"
    # Beside its place and not in /tmp, where programs may not be allowed to run: it is tried before it is put in place.
    draft=$(mktemp -d "$place/.llmio-XXXXXX") || fail "$place cannot be written; use sudo, or --to DIR" "无法写入 $place；请使用 sudo 或 --to DIR"
    trap 'rm -rf "$draft"' EXIT
    trap 'exit 1' HUP INT TERM
    find_checksum
    say "Fetching $archive from ${mirror:-$RELEASE}" "正在从 ${mirror:-$RELEASE} 下载 $archive"
    fetch "${mirror:-$RELEASE}/$archive" "$draft/$archive"
    sha256 "$draft/$archive"
    [ "$found" = "$wanted" ] || fail "$archive has the SHA-256 $found, not $wanted: nothing was installed" \
        "$archive 的 SHA-256 是 $found，应为 $wanted：未安装任何文件"
    tar -xzf "$draft/$archive" -C "$draft"
    version=$("$draft/llmio" --version) || fail "the binary does not run on this machine" "该二进制文件无法在本机运行"
    before=$("$place/llmio" --version 2>/dev/null || true)
    chmod 755 "$draft/llmio"
    mv -f "$draft/llmio" "$place/llmio"
    if [ "$before" ]; then
        say "$place/llmio: $before is now $version" "$place/llmio：已由 $before 更新为 $version"
    else
        say "$place/llmio: $version" "$place/llmio：$version"
    fi
}

unit=/etc/systemd/system/llmio.service

may_have_service() {
    [ "$(id -u)" = 0 ] && has systemctl && [ -d /run/systemd/system ]
}

# A script that comes through a pipe has no standard input to ask on.
wants_service() {
    case "$service" in
        yes | no) [ "$service" = yes ]; return ;;
    esac
    [ -f "$unit" ] && return
    if ! (: </dev/tty >/dev/tty) 2>/dev/null; then return 1; fi
    say "Install a systemd service that starts llmio with the machine? [y/N]" "是否安装 systemd 服务（开机自动启动）？[y/N]" >/dev/tty
    read -r answer </dev/tty || return 1
    case "$answer" in
        y* | Y* | 是) true ;;
        *) false ;;
    esac
}

install_service() {
    sed "s|^ExecStart=.*|ExecStart=$place/llmio|" "$draft/llmio.service" >"$unit"
    systemctl daemon-reload
    systemctl enable llmio
    systemctl restart llmio
    say "The service llmio runs; its settings are in /etc/llmio.env, its token: $place/llmio --data /var/lib/llmio token" \
        "服务 llmio 已启动；设置见 /etc/llmio.env，查看令牌：$place/llmio --data /var/lib/llmio token"
}

say_next() {
    command=llmio
    case "$(command -v llmio || true)" in
        "$place/llmio") ;;
        '')
            command="$place/llmio"
            say "$place is not in PATH: export PATH=\"$place:\$PATH\"" "$place 不在 PATH 中：export PATH=\"$place:\$PATH\""
            ;;
        *)
            command="$place/llmio"
            say "Another one comes first in PATH: $(command -v llmio)" "PATH 中排在前面的是另一个：$(command -v llmio)"
            ;;
    esac
    say "Start it: $command (serves on 127.0.0.1:7070, keeps its files in ./data, prints a token and a line to try)" \
        "启动：$command（监听 127.0.0.1:7070，数据保存在 ./data，启动后会显示令牌和一条可直接运行的 curl 命令）"
    if has systemctl && [ -d /run/systemd/system ]; then
        say "With the machine: run this again as root with --service" "开机自启：以 root 身份加 --service 再次运行本脚本"
    fi
}

uninstall() {
    if [ -f "$unit" ]; then
        [ "$(id -u)" = 0 ] || fail "the service can be removed by root only; use sudo" "只有 root 才能移除服务；请使用 sudo"
        if may_have_service; then systemctl disable --now llmio; fi
        rm -f "$unit"
        if may_have_service; then systemctl daemon-reload; fi
        say "Removed $unit; /var/lib/llmio and /etc/llmio.env stay" "已移除 $unit；保留 /var/lib/llmio 和 /etc/llmio.env"
    fi
    [ -e "$place/llmio" ] || fail "there is no $place/llmio; --to DIR says where else" "$place/llmio 不存在；可用 --to DIR 指定目录"
    rm -f "$place/llmio"
    say "Removed $place/llmio; data folders stay" "已移除 $place/llmio；数据目录均保留"
}

main() {
    action=install mirror='' place='' service=ask
    while [ $# -gt 0 ]; do
        case "$1" in
            --mirror | --to | --release)
                [ "${2:-}" ] || fail "$1 needs a value" "$1 缺少参数"
                case "$1" in
                    --mirror) mirror=${2%/} ;;
                    --to) place=${2%/} ;;
                    --release) RELEASE=${2%/} CHECKSUMS='' ;;
                esac
                shift
                ;;
            --service) service=yes ;;
            --no-service) service=no ;;
            --uninstall) action=uninstall ;;
            -h | --help) usage; exit ;;
            *) usage >&2; exit 2 ;;
        esac
        shift
    done
    find_place
    if [ $action = uninstall ]; then uninstall; exit; fi
    if [ $service = yes ] && ! may_have_service; then
        fail "a service needs root and a running systemd" "安装服务需要 root 权限和正在运行的 systemd"
    fi
    find_platform
    install
    if may_have_service && wants_service; then install_service; else say_next; fi
}

# The last line: a script that arrived in part does nothing.
main "$@"
