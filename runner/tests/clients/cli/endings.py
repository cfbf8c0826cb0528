"""How long the command-line clients take to a right end when their provider fails for good or for a moment: directly,
through llmio, and through llmio once more, when it knows of the failure already. A cell fails where llmio makes a client
slower by more than a second, or where it ends otherwise than directly, unless it finds no end there. Prints a line of JSON for each."""

import json
import os

import agents

BASE, KEY, MOCK = os.environ["LLMIO_BASE"], os.environ["LLMIO_KEY"], os.environ["MOCK"]
SECRET = "sk-mock-provider"
SLOWER_MAX = 1.0
# Client, its package and the mock's name for its dialect.
CLIENTS = {
    "Codex": (agents.codex, "@openai/codex", "responses"),
    "Claude Code": (agents.claude, "@anthropic-ai/claude-code", "anthropic"),
    "Gemini CLI": (agents.gemini, "@google/gemini-cli", "gemini"),
    "Qwen Code": (agents.qwen, "@qwen-code/qwen-code", "chat"),
    "Copilot": (agents.copilot, "@github/copilot", "chat"),
    "Continue": (agents.continues, "@continuedev/cli", "chat"),
    "pi": (agents.pi, "@mariozechner/pi-coding-agent", "chat"),
}


def end(client, base, model, key):
    code, output, errors, took = agents.run(client, base, model, key, "say hello")
    return ("no end" if code is None else "answered" if code == 0 and "I heard: " in output else "failed"), took, output, errors


def is_worse(ended, directly):
    """Whether it ends later or otherwise. Where it finds no end directly, every end is better."""
    (how, seconds, *_), (how_directly, seconds_directly, *_) = ended, directly
    return seconds > seconds_directly + SLOWER_MAX or how_directly != "no end" and how != how_directly


def cell(name, cause):
    client, _, dialect = CLIENTS[name]
    whose = name.replace(" ", "-").lower()
    ways = {
        "directly": (f"{MOCK}/failing/{cause}/{whose}-directly/{dialect}", "mock", SECRET),
        "first": (BASE, f"{cause}-{whose}", KEY),
        "then": (BASE, f"{cause}-{whose}", KEY),
    }
    ends = {way: end(client, *where) for way, where in ways.items()}
    for way in ways:
        # Clients wait for random times, and a busy machine makes them slower: what seems worse is tried twice more.
        for _ in range(2):
            if cause != "passes" and is_worse(ends[way], ends["directly"]):
                ends[way] = min(ends[way], end(client, *ways[way]), key=lambda ended: ended[1])
    directly, took, *_ = ends["directly"]
    worse = [f"{way}: {how} after {seconds:.1f} s instead of {directly} after {took:.1f} s: {output[-300:]} {errors[-500:]}"
             for way, (how, seconds, output, errors) in ends.items() if is_worse(ends[way], ends["directly"])]  # fmt: skip
    told = " ".join((ends["then"][2] + ends["then"][3]).split())[-160:]
    figures = {way: f"{how} {seconds:.1f}" for way, (how, seconds, *_) in ends.items()}
    return {"problem": "; ".join(worse) or None, "figures": figures, "told": told}


def main():
    only = os.environ.get("ONLY")
    for name, (_, package, dialect) in CLIENTS.items():
        for cause in os.environ["CAUSES"].split():
            row = {"client": f"{name} {agents.version(package)}", "provider": dialect, "feature": cause}
            if only in " ".join(row.values()):
                print(json.dumps({**row, **cell(name, cause)}), flush=True)


if __name__ == "__main__":
    main()
