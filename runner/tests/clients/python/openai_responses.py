"""The `openai` SDK, responses."""

import base64
import json

import openai
from expected import *
from pydantic import BaseModel

NAME = f"py openai {openai.__version__} responses"
client = openai.OpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0)
TOOL = {"type": "function", "name": "get_weather", "description": "Tells the weather", "parameters": PARAMETERS, "strict": True}
TALK = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
    {"role": "user", "content": PROMPT},
]


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]


def used(usage):
    return usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens


def plain(model):
    answer = client.responses.create(model=model, instructions=SYSTEM, input=TALK, temperature=0.5)
    same((answer.output_text, answer.status), (TEXT, "completed"))
    same(used(answer.usage), USAGE)


def streamed(model):
    with client.responses.stream(model=model, instructions=SYSTEM, input=TALK) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        answer = stream.get_final_response()
    same((text, answer.output_text, answer.status), (TEXT, TEXT, "completed"))
    same(used(answer.usage), USAGE)


def tools(model):
    round_trip(model, lambda **more: client.responses.create(tools=[TOOL], store=False, **more))


def tools_streamed(model, then=None, **thinking):
    def ask(model, **more):
        with client.responses.stream(model=model, tools=[TOOL], store=False, **thinking, **more) as stream:
            for _ in stream:
                pass
            return stream.get_final_response()

    round_trip(model, ask, then)


THINKING = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}


def thinking(model):
    tools_streamed(model, **THINKING)


def wandering(model):
    """A conversation goes on with a provider of another dialect."""
    for other in others(model):
        tools_streamed(model, other, **THINKING)


def tool_choice(model):
    chosen = {"type": "function", "name": "get_weather"}
    for choice, calls in (("required", True), (chosen, True), ("none", False)):
        answer = client.responses.create(model=model, input=TALK, tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)
        same((answer.status, any(item.type == "function_call" for item in answer.output)), ("completed", calls))


def length(model):
    whole = client.responses.create(model=model, input=TALK, max_output_tokens=SHORT)
    same((whole.output_text, whole.status, whole.incomplete_details.reason), (CUT_TEXT, "incomplete", "max_output_tokens"))
    *_, last = client.responses.create(model=model, input=TALK, max_output_tokens=SHORT, stream=True)
    same((last.type, last.response.output_text), ("response.incomplete", CUT_TEXT))


def broken(model):
    breaks(saying_why(client.responses.create(model=f"{model}-stream", input=TALK, stream=True)), openai.APIError)


def saying_why(events):
    """The SDK raises some errors by itself, and leaves `error` and `response.failed` to who reads the events."""
    for event in events:
        if event.type in ("error", "response.failed"):
            said = event.message if event.type == "error" else event.response.error.message
            raise openai.APIError(said, request=None, body=None)
        yield event


def round_trip(model, ask, then=None):
    talk = [{"role": "user", "content": WEATHER}]
    answer = ask(model=model, input=talk)
    calls = [item for item in answer.output if item.type == "function_call"]
    same([(call.name, json.loads(call.arguments)["city"]) for call in calls], [("get_weather", city) for city in CITIES])
    # As a program would send them back: without what the SDK's own parsing has added.
    talk += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
    for call in calls:
        talk.append({"type": "function_call_output", "call_id": call.call_id, "output": RESULTS[json.loads(call.arguments)["city"]]})
    answer = ask(model=then or model, input=talk)
    same((answer.output_text, answer.status), (TOOLS_TEXT, "completed"))


def structured(model):
    answer = client.responses.parse(model=model, input=TALK, text_format=Person)
    same(answer.output_parsed, Person(name="Ada", age=36, tags=["Ada"]))


def image(model):
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    content = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": url, "detail": "auto"}]
    answer = client.responses.create(model=model, input=[{"role": "user", "content": content}])
    same(answer.output_text, IMAGE_TEXT)


def error(model):
    ask = lambda status: lambda: client.responses.create(model=f"{model}-{status}", input=TALK)
    fails(ask(400), openai.BadRequestError, 400, "Mock failure 400")
    fails(ask(429), openai.RateLimitError, 429)
    fails(ask(500), openai.InternalServerError, 500, "Mock failure 500")


def wrong_key(model):
    other = openai.OpenAI(base_url=f"{BASE}/v1", api_key=WRONG_KEY, default_headers=elsewhere())
    fails(lambda: other.responses.create(model=model, input=TALK), openai.AuthenticationError, 401)


def models(model):
    same(model in [one.id for one in client.models.list()], True)
    same(client.models.retrieve(model).id, model)
