"""Tries every feature of every Python SDK on every provider, and prints a line of JSON for each."""

import json
import os
import sys
import traceback
import urllib.request

import anthropic_messages
import google_genai
import openai_chat
import openai_responses

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
