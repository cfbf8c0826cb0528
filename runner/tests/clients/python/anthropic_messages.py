"""The `anthropic` SDK."""

import base64

import anthropic
from expected import *
from pydantic import BaseModel

NAME = f"py anthropic {anthropic.__version__}"
client = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0)
TOOL = {"name": "get_weather", "description": "Tells the weather", "input_schema": PARAMETERS}
TALK = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": [{"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral"}}]},
]


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


def used(usage):
    cached = usage.cache_read_input_tokens
    return usage.input_tokens + cached, cached, usage.output_tokens


def plain(model):
    answer = client.messages.create(model=model, system=SYSTEM, messages=TALK, max_tokens=100)
    same((answer.content[0].text, answer.stop_reason), (TEXT, "end_turn"))
    same(used(answer.usage), USAGE)


def streamed(model):
    with client.messages.stream(model=model, system=SYSTEM, messages=TALK, max_tokens=100) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    same((text, answer.content[0].text, answer.stop_reason), (TEXT, TEXT, "end_turn"))
    same(used(answer.usage), USAGE)


def tools(model):
    round_trip(model, lambda **more: client.messages.create(tools=[TOOL], max_tokens=100, **more))


def tools_streamed(model, then=None, **thinking):
    def ask(model, **more):
        with client.messages.stream(model=model, tools=[TOOL], max_tokens=4000, **thinking, **more) as stream:
            return stream.get_final_message()

    round_trip(model, ask, then)


def thinking(model):
    tools_streamed(model, thinking={"type": "enabled", "budget_tokens": 2000})


def wandering(model):
    """A conversation goes on with a provider of another dialect."""
    for other in others(model):
        tools_streamed(model, other, thinking={"type": "enabled", "budget_tokens": 2000})


def tool_choice(model):
    chosen = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    for choice, calls in (({"type": "any"}, True), (chosen, True), ({"type": "none"}, False)):
        answer = client.messages.create(model=model, messages=TALK, max_tokens=100, tools=[TOOL], tool_choice=choice)
        said = any(block.type == "tool_use" for block in answer.content)
        same((answer.stop_reason, said), ("tool_use" if calls else "end_turn", calls))


def length(model):
    whole = client.messages.create(model=model, messages=TALK, max_tokens=SHORT)
    same((whole.content[0].text, whole.stop_reason), (CUT_TEXT, "max_tokens"))
    with client.messages.stream(model=model, messages=TALK, max_tokens=SHORT) as stream:
        same(stream.get_final_message().stop_reason, "max_tokens")


def broken(model):
    stream = client.messages.create(model=f"{model}-stream", messages=TALK, max_tokens=100, stream=True)
    breaks(stream, anthropic.APIStatusError)


def round_trip(model, ask, then=None):
    talk = [{"role": "user", "content": WEATHER}]
    answer = ask(model=model, messages=talk)
    same(answer.stop_reason, "tool_use")
    calls = [block for block in answer.content if block.type == "tool_use"]
    same([(call.name, call.input["city"]) for call in calls], [("get_weather", city) for city in CITIES])
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": RESULTS[call.input["city"]]} for call in calls]
    talk += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    answer = ask(model=then or model, messages=talk)
    same((answer.content[-1].text, answer.stop_reason), (TOOLS_TEXT, "end_turn"))


def structured(model):
    answer = client.messages.parse(model=model, messages=TALK, max_tokens=100, output_format=Person)
    same(answer.parsed_output, Person(name="Ada", age=36, tags=["Ada"]))


def image(model):
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    answer = client.messages.create(model=model, messages=[{"role": "user", "content": content}], max_tokens=100)
    same(answer.content[0].text, IMAGE_TEXT)


def error(model):
    ask = lambda status: lambda: client.messages.create(model=f"{model}-{status}", messages=TALK, max_tokens=100)
    fails(ask(400), anthropic.BadRequestError, 400, "Mock failure 400")
    fails(ask(429), anthropic.RateLimitError, 429)
    fails(ask(500), anthropic.InternalServerError, 500, "Mock failure 500")


def wrong_key(model):
    other = anthropic.Anthropic(base_url=BASE, api_key=WRONG_KEY, default_headers=elsewhere())
    fails(lambda: other.messages.create(model=model, messages=TALK, max_tokens=100), anthropic.AuthenticationError, 401)


def models(model):
    same(model in [one.id for one in client.models.list()], True)
    same(client.models.retrieve(model).id, model)
    same(client.messages.count_tokens(model=model, messages=TALK).input_tokens > 0, True)
