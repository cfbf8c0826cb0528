"""The command-line clients: how each is told where to go and run headless, in a home and a folder that are its own and new."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

BINARIES = Path(os.environ["CLIENTS"]) / "node_modules"
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
CONTINUE = """
name: here
version: 1.0.0
schema: v1
models:
  - name: here
    provider: openai
    model: {model}
    apiBase: {base}/v1
    apiKey: {key}
    roles: [chat]
"""
PI = {"api": "openai-completions", "models": []}

addresses = itertools.count(1)


def elsewhere():
    """An address the gateway has not seen yet: it throttles one that tries wrong keys, and Codex tries six times."""
    return f"10.0.2.{next(addresses)}"


def claude(home, base, model, key, prompt):
    models = {f"ANTHROPIC_{name}": model for name in ("MODEL", "DEFAULT_HAIKU_MODEL", "DEFAULT_SONNET_MODEL", "DEFAULT_OPUS_MODEL")}
    access = {"ANTHROPIC_BASE_URL": base, "ANTHROPIC_AUTH_TOKEN": key, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    access["ANTHROPIC_CUSTOM_HEADERS"] = f"x-forwarded-for: {elsewhere()}"
    return ["claude", "--allowedTools", "Bash", "-p", prompt], {**models, **access}


def codex(home, base, model, key, prompt):
    write(home / ".codex" / "config.toml", CODEX.format(model=model, base=base, address=elsewhere()))
    arguments = ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", prompt]
    return ["codex", *arguments], {"LLMIO_CLIENT_KEY": key}


def gemini(home, base, model, key, prompt):
    write(home / ".gemini" / "settings.json", json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
    access = {"GEMINI_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": base, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    access["GEMINI_CLI_CUSTOM_HEADERS"] = f"x-forwarded-for: {elsewhere()}"
    return ["gemini", "--approval-mode", "yolo", "-m", model, "-p", prompt], access


def qwen(home, base, model, key, prompt):
    access = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{base}/v1", "OPENAI_MODEL": model}
    return ["qwen", "--auth-type", "openai", "--approval-mode", "yolo", "-p", prompt], access


def copilot(home, base, model, key, prompt):
    access = {"BASE_URL": f"{base}/v1", "API_KEY": key, "TYPE": "openai"}
    access = {f"COPILOT_PROVIDER_{name}": value for name, value in access.items()}
    return ["copilot", "--allow-all-tools", "-p", prompt], {**access, "COPILOT_MODEL": model, "COPILOT_OFFLINE": "true"}


def continues(home, base, model, key, prompt):
    write(home / "config.yaml", CONTINUE.format(model=model, base=base, key=key))
    return ["cn", "--config", str(home / "config.yaml"), "--auto", "-p", prompt], {}


def pi(home, base, model, key, prompt):
    provider = {"baseUrl": f"{base}/v1", "apiKey": key, "api": "openai-completions", "models": [{"id": model}]}
    write(home / ".pi" / "agent" / "models.json", json.dumps({"providers": {"here": provider}}))
    return ["pi", "--provider", "here", "--model", model, "-p", prompt], {}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def version(package):
    return json.loads((BINARIES / package / "package.json").read_text())["version"]


def run(client, base, model, key, prompt, files={}, seconds_max=SECONDS_MAX):
    """Exit code, stdout, stderr and seconds of the client; no exit code where it found no end in time."""
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder) / "home", Path(folder) / "work"
        home.mkdir()
        work.mkdir()
        for name, text in files.items():
            write(work / name, text)
        (binary, *arguments), access = client(home, base, model, key, prompt)
        path = f"{BINARIES / '.bin'}:{BINARIES / 'node' / 'bin'}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(home), "NO_PROXY": "127.0.0.1", "TERM": "xterm-256color", **access}
        begun = time.monotonic()
        try:
            child = subprocess.run(
                [shutil.which(binary, path=path), *arguments], env=environment, cwd=work, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=seconds_max,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, "", "", seconds_max
        return child.returncode, child.stdout, child.stderr, time.monotonic() - begun
