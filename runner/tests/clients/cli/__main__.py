"""Tries the command-line clients, headless, on every provider: one turn; a turn in which the model has a tool run and
tells what it gave; and a wrong key, which must not be tried again for minutes. Then one turn of each as the document sets
it up. Prints a line of JSON for each."""

import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import agents
from samples import samples

BASE, KEY = os.environ["LLMIO_BASE"], os.environ["LLMIO_KEY"]
WRONG_KEY = "sk-llmio-" + "0" * 43
SECRET = "the secret word is pelican"


def documented(binary):
    """What the document tells a reader to set, for this client, with a prompt where it would ask for one."""

    def client(home, base, model, key, prompt):
        agents.write(home / ".codex" / "config.toml", "".join(samples("toml client", base, key)))
        agents.write(home / ".gemini" / "settings.json", json.dumps({"security": {"auth": {"selectedType": "gemini-api-key"}}}))
        access = {"LLMIO_KEY": key, "GEMINI_CLI_TRUST_WORKSPACE": "true", "PROMPT": prompt}
        if binary == "codex":
            return ["codex", "exec", "--skip-git-repo-check", prompt], access
        (shown,) = [text for text in samples("sh", base, key) if text.splitlines()[-1].split()[0] == binary]
        return ["sh", "-c", f'{shown} -p "$PROMPT"'], access

    return client


CLIENTS = {
    "Claude Code": (agents.claude, "@anthropic-ai/claude-code"),
    "Codex": (agents.codex, "@openai/codex"),
    "Gemini CLI": (agents.gemini, "@google/gemini-cli"),
    "Qwen Code": (agents.qwen, "@qwen-code/qwen-code"),
}
PROMPTS = {"one_turn": "say hello", "tools": "Read note.txt and tell me what it says.", "wrong_key": "say hello"}
SAMPLE = "sample"


def problem(client, model, feature, log):
    seen = len(log.read_text().splitlines())
    key = WRONG_KEY if feature == "wrong_key" else KEY
    files = {"note.txt": SECRET + "\n"} if feature == "tools" else {}
    code, output, errors, took = agents.run(client, BASE, model, key, PROMPTS.get(feature, "say hello"), files)
    if code is None:
        return f"no end after {agents.SECONDS_MAX} s"
    refused = [line["problem"] for line in map(json.loads, log.read_text().splitlines()[seen:]) if line["problem"]]
    if refused:
        return f"the provider refused what came: {refused[0]}"
    if feature == "wrong_key":
        return None if code and took < agents.SECONDS_MAX / 2 else f"exit code {code} after {took:.0f} s: {errors[-300:]}"
    expected = [SECRET, "The tools said:"] if feature == "tools" else ["I heard: ", "say hello"]
    whole = code == 0 and all(piece in output for piece in expected)
    return None if whole else f"exit code {code}: {output[-300:]} {errors[-300:]}"


def main():
    log, only = Path(sys.argv[1]), os.environ.get("ONLY", "")
    for name, (client, package) in CLIENTS.items():
        name = f"{name} {agents.version(package)}"
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
