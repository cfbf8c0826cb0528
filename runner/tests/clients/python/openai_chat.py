"""The `openai` SDK, chat completions."""

import base64
import json

import openai
from expected import *
from pydantic import BaseModel

NAME = f"py openai {openai.__version__} chat"
client = openai.OpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0)
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Tells the weather", "parameters": PARAMETERS}}
TALK = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": PROMPT},
]


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


def used(usage):
    return usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens


def plain(model):
    answer = client.chat.completions.create(model=model, messages=TALK, temperature=0.5)
    same(answer.choices[0].message.content, TEXT)
    same(answer.choices[0].finish_reason, "stop")
    same(used(answer.usage), USAGE)


def streamed(model):
    with client.chat.completions.stream(model=model, messages=TALK, stream_options={"include_usage": True}) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        answer = stream.get_final_completion()
    same((text, answer.choices[0].message.content, answer.choices[0].finish_reason), (TEXT, TEXT, "stop"))
    same(used(answer.usage), USAGE)
    unasked = list(client.chat.completions.create(model=model, messages=TALK, stream=True))
    same([chunk for chunk in unasked if not chunk.choices], [])


def tools(model):
    round_trip(model, lambda **more: client.chat.completions.create(tools=[TOOL], **more))


def tools_streamed(model, then=None, **thinking):
    def ask(model, **more):
        with client.chat.completions.stream(model=model, tools=[TOOL], **thinking, **more) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion()

    round_trip(model, ask, then)


def thinking(model):
    tools_streamed(model, reasoning_effort="low")


def wandering(model):
    """A conversation goes on with a provider of another dialect."""
    for other in others(model):
        tools_streamed(model, other, reasoning_effort="low")


def tool_choice(model):
    chosen = {"type": "function", "function": {"name": "get_weather"}}
    for choice, calls in (("required", True), (chosen, True), ("none", False)):
        answer = client.chat.completions.create(model=model, messages=TALK, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)
        same((answer.choices[0].finish_reason, bool(answer.choices[0].message.tool_calls)), ("tool_calls" if calls else "stop", calls))


def length(model):
    whole = client.chat.completions.create(model=model, messages=TALK, max_completion_tokens=SHORT)
    same((whole.choices[0].message.content, whole.choices[0].finish_reason), (CUT_TEXT, "length"))
    chunks = list(client.chat.completions.create(model=model, messages=TALK, max_tokens=SHORT, stream=True))
    same([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1], "length")


def broken(model):
    breaks(client.chat.completions.create(model=f"{model}-stream", messages=TALK, stream=True), openai.APIError)


def round_trip(model, ask, then=None):
    talk = [{"role": "user", "content": WEATHER}]
    choice = ask(model=model, messages=talk).choices[0]
    same(choice.finish_reason, "tool_calls")
    calls = choice.message.tool_calls
    same([(call.function.name, json.loads(call.function.arguments)["city"]) for call in calls], [("get_weather", city) for city in CITIES])
    talk.append(choice.message)
    for call in calls:
        talk.append({"role": "tool", "tool_call_id": call.id, "content": RESULTS[json.loads(call.function.arguments)["city"]]})
    choice = ask(model=then or model, messages=talk).choices[0]
    same((choice.message.content, choice.finish_reason), (TOOLS_TEXT, "stop"))


def structured(model):
    answer = client.chat.completions.parse(model=model, messages=TALK, response_format=Person)
    same(answer.choices[0].message.parsed, Person(name="Ada", age=36, tags=["Ada"]))


def image(model):
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    same(answer.choices[0].message.content, IMAGE_TEXT)


def error(model):
    ask = lambda status: lambda: client.chat.completions.create(model=f"{model}-{status}", messages=TALK)
    fails(ask(400), openai.BadRequestError, 400, "Mock failure 400")
    fails(ask(429), openai.RateLimitError, 429)
    fails(ask(500), openai.InternalServerError, 500, "Mock failure 500")


def wrong_key(model):
    other = openai.OpenAI(base_url=f"{BASE}/v1", api_key=WRONG_KEY, default_headers=elsewhere())
    fails(lambda: other.chat.completions.create(model=model, messages=TALK), openai.AuthenticationError, 401)


def models(model):
    same(model in [one.id for one in client.models.list()], True)
    same(client.models.retrieve(model).id, model)
