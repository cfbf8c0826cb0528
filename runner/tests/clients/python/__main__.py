"""Tries every feature of every Python SDK on every provider, and the documents' samples, and prints a line of JSON for
each."""

import json
import os
import subprocess
import sys
import traceback
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import anthropic_messages
import google_genai
import openai_chat
import openai_responses
from samples import samples

FEATURES = "plain streamed tools tools_streamed thinking wandering tool_choice length broken structured image error wrong_key models".split()


def main():
    only = os.environ.get("ONLY", "")
    for client in (openai_chat, openai_responses, anthropic_messages, google_genai):
        for provider in os.environ["PROVIDERS"].split():
            forget_failures()
            for feature in FEATURES:
                cell = {"client": client.NAME, "provider": provider, "feature": feature}
                if only not in f"{client.NAME} {provider} {feature}":
                    continue
                print(json.dumps({**cell, "problem": problem(getattr(client, feature), f"via-{provider}")}), flush=True)
    cell = {"client": "the document", "provider": "chat", "feature": "samples"}
    if only in " ".join(cell.values()):
        print(json.dumps({**cell, "problem": problem(documented, "python")}), flush=True)


def documented(language):
    """What the document shows does what it says."""
    shown = samples(language, os.environ["LLMIO_BASE"], os.environ["LLMIO_KEY"])
    assert shown, f"there is no sample in {language}"
    for text in shown:
        ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0 and "I heard: hello" in ran.stdout, f"{text}\nsaid {ran.stdout} {ran.stderr}"


def forget_failures():
    """The failures of one client must not keep a provider from the next."""
    headers = {"authorization": "Bearer " + os.environ["LLMIO_ADMIN"]}
    urllib.request.urlopen(urllib.request.Request(os.environ["LLMIO_BASE"] + "/api/health/reset", b"{}", headers), timeout=20)


def problem(call, model):
    try:
        call(model)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[1 if len(traceback.extract_tb(error.__traceback__)) > 1 else 0]
        return f"{type(error).__name__} at {os.path.basename(last.filename)}:{last.lineno}: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main())
