"""Tries the command-line clients, headless, on every provider: one turn; a turn in which the model has a tool run and
tells what it gave; and a wrong key, which must not be tried again for minutes. Then one turn of each as the document sets
it up. Prints a line of JSON for each."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from samples import samples

BASE, KEY = os.environ["LLMIO_BASE"], os.environ["LLMIO_KEY"]
BINARIES = Path(os.environ["CLIENTS"]) / "node_modules"
WRONG_KEY = "sk-llmio-" + "0" * 43
SECRET = "the secret word is pelican"
SECONDS_MAX = 60
CODEX = """
model = "{model}"
model_provider = "llmio"
[model_providers.llmio]
name = "llmio"
base_url = "{base}/v1"
env_key = "LLMIO_CLIENT_KEY"
wire_api = "responses"
http_headers = {{ x-forwarded-for = "{address}" }}
"""


addresses = itertools.count(1)


def elsewhere():
    """An address the gateway has not seen yet: it throttles one that tries wrong keys, and Codex tries six times."""
    return f"10.0.2.{next(addresses)}"


def claude(home, model, key, prompt):
    models = {f"ANTHROPIC_{name}": model for name in ("MODEL", "DEFAULT_HAIKU_MODEL", "DEFAULT_SONNET_MODEL", "DEFAULT_OPUS_MODEL")}
    access = {"ANTHROPIC_BASE_URL": BASE, "ANTHROPIC_AUTH_TOKEN": key, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    access["ANTHROPIC_CUSTOM_HEADERS"] = f"x-forwarded-for: {elsewhere()}"
    return ["claude", "--allowedTools", "Bash", "-p", prompt], {**models, **access}


def codex(home, model, key, prompt):
    write(home / ".codex" / "config.toml", CODEX.format(model=model, base=BASE, address=elsewhere()))
    arguments = ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", prompt]
    return ["codex", *arguments], {"LLMIO_CLIENT_KEY": key}


def gemini(home, model, key, prompt):
    write(home / ".gemini" / "settings.json", json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
    access = {"GEMINI_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": BASE, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    access["GEMINI_CLI_CUSTOM_HEADERS"] = f"x-forwarded-for: {elsewhere()}"
    return ["gemini", "--approval-mode", "yolo", "-m", model, "-p", prompt], access


def qwen(home, model, key, prompt):
    access = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{BASE}/v1", "OPENAI_MODEL": model}
    return ["qwen", "--auth-type", "openai", "--approval-mode", "yolo", "-p", prompt], access


def documented(binary):
    """What the document tells a reader to set, for this client, with a prompt where it would ask for one."""

    def client(home, model, key, prompt):
        write(home / ".codex" / "config.toml", "".join(samples("toml client", BASE, key)))
        write(home / ".gemini" / "settings.json", json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
        access = {"LLMIO_KEY": key, "GEMINI_CLI_TRUST_WORKSPACE": "true", "PROMPT": prompt}
        if binary == "codex":
            return ["codex", "exec", "--skip-git-repo-check", prompt], access
        (shown,) = [text for text in samples("sh", BASE, key) if text.splitlines()[-1].split()[0] == binary]
        return ["sh", "-c", f'{shown} -p "$PROMPT"'], access

    return client


CLIENTS = {
    "Claude Code": (claude, "@anthropic-ai/claude-code"),
    "Codex": (codex, "@openai/codex"),
    "Gemini CLI": (gemini, "@google/gemini-cli"),
    "Qwen Code": (qwen, "@qwen-code/qwen-code"),
}
PROMPTS = {"one_turn": "say hello", "tools": "Read note.txt and tell me what it says.", "wrong_key": "say hello"}
SAMPLE = "sample"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def version(package):
    return json.loads((BINARIES / package / "package.json").read_text())["version"]


def run(client, model, feature):
    """Exit code, stdout, stderr and seconds of the client, in a home and a folder that are its own and new."""
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder) / "home", Path(folder) / "work"
        home.mkdir()
        work.mkdir()
        if feature == "tools":
            write(work / "note.txt", SECRET + "\n")
        key = WRONG_KEY if feature == "wrong_key" else KEY
        (binary, *arguments), access = client(home, model, key, PROMPTS.get(feature, "say hello"))
        path = f"{BINARIES / '.bin'}:{BINARIES / 'node' / 'bin'}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(home), "NO_PROXY": "127.0.0.1", "TERM": "xterm-256color", **access}
        begun = time.monotonic()
        try:
            child = subprocess.run(
                [shutil.which(binary, path=path), *arguments], env=environment, cwd=work, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=SECONDS_MAX,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, "", "", SECONDS_MAX
        return child.returncode, child.stdout, child.stderr, time.monotonic() - begun


def problem(client, model, feature, log):
    seen = len(log.read_text().splitlines())
    code, said, more, took = run(client, model, feature)
    if code is None:
        return f"no end after {SECONDS_MAX} s"
    refused = [line["problem"] for line in map(json.loads, log.read_text().splitlines()[seen:]) if line["problem"]]
    if refused:
        return f"the provider refused what came: {refused[0]}"
    if feature == "wrong_key":
        return None if code and took < SECONDS_MAX / 2 else f"exit code {code} after {took:.0f} s: {more[-300:]}"
    wanted = [SECRET, "The tools said:"] if feature == "tools" else ["I heard: ", "say hello"]
    return None if code == 0 and all(piece in said for piece in wanted) else f"exit code {code}: {said[-300:]} {more[-300:]}"


def main():
    log, only = Path(sys.argv[1]), os.environ.get("ONLY", "")
    for name, (client, package) in CLIENTS.items():
        name = f"{name} {version(package)}"
        for provider in os.environ["PROVIDERS"].split():
            for feature in PROMPTS:
                if only not in f"{name} {provider} {feature}":
                    continue
                cell = {"client": name, "provider": provider, "feature": feature}
                print(json.dumps({**cell, "problem": problem(client, f"via-{provider}", feature, log)}), flush=True)
        binary = client.__name__
        cell = {"client": name, "provider": "chat", "feature": SAMPLE}
        if only in " ".join(cell.values()):
            print(json.dumps({**cell, "problem": problem(documented(binary), "assistant", SAMPLE, log)}), flush=True)


if __name__ == "__main__":
    main()
