// The `openai` SDK, chat completions.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import * as x from "./expected.mjs";

export const name = "js openai chat";
const connect = (apiKey, more) => new OpenAI({ baseURL: `${x.BASE}/v1`, apiKey, ...more });
const client = connect(x.KEY, { maxRetries: 0 });
const tool = { type: "function", function: { name: "get_weather", description: "Tells the weather", parameters: x.PARAMETERS } };
const messages = [
  { role: "developer", content: x.SYSTEM },
  { role: "user", content: "one" },
  { role: "assistant", content: "two" },
  { role: "user", content: x.PROMPT },
];
const used = (usage) => [usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens];

export async function plain(model) {
  const answer = await client.chat.completions.create({ model, messages, temperature: 0.5 });
  x.same([answer.choices[0].message.content, answer.choices[0].finish_reason], [x.TEXT, "stop"]);
  x.same(used(answer.usage), x.USAGE);
}

export async function streamed(model) {
  const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
  let text = "";
  stream.on("content", (delta) => (text += delta));
  const answer = await stream.finalChatCompletion();
  x.same([text, answer.choices[0].message.content], [x.TEXT, x.TEXT]);
  x.same(used(answer.usage), x.USAGE);
}

export const tools = (model) =>
  roundTrip((messages) => client.chat.completions.create({ model, messages, tools: [tool] }));

const streaming = (more) => (model) => (messages) =>
  client.chat.completions.stream({ model, messages, tools: [tool], ...more }).finalChatCompletion();
const thoughtful = streaming({ reasoning_effort: "low" });

export const tools_streamed = (model) => roundTrip(streaming()(model));

export const thinking = (model) => roundTrip(thoughtful(model));

export async function wandering(model) {
  for (const other of x.others(model)) await roundTrip(x.changing(thoughtful, model, other));
}

export async function length(model) {
  const { message, finish_reason } = (await client.chat.completions.create({ model, messages, max_tokens: x.SHORT })).choices[0];
  x.same([message.content, finish_reason], [x.CUT_TEXT, "length"]);
}

export const broken = (model) =>
  x.breaks(client.chat.completions.create({ model: `${model}-stream`, messages, stream: true }), OpenAI.APIError);

async function roundTrip(ask) {
  const talk = [{ role: "user", content: x.WEATHER }];
  const { message, finish_reason } = (await ask(talk)).choices[0];
  x.same(finish_reason, "tool_calls");
  const city = (call) => JSON.parse(call.function.arguments).city;
  x.same(message.tool_calls.map((call) => [call.function.name, city(call)]), x.CALLS);
  talk.push(message, ...message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: x.RESULTS[city(call)] })));
  const last = (await ask(talk)).choices[0];
  x.same([last.message.content, last.finish_reason], [x.TOOLS_TEXT, "stop"]);
}

export async function structured(model) {
  const answer = await client.chat.completions.parse({ model, messages, response_format: zodResponseFormat(x.Person, "person") });
  x.same(answer.choices[0].message.parsed, x.PERSON);
}

export async function image(model) {
  const content = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url: `data:image/png;base64,${x.PNG}` } },
  ];
  const answer = await client.chat.completions.create({ model, messages: [{ role: "user", content }] });
  x.same(answer.choices[0].message.content, x.IMAGE_TEXT);
}

export async function error(model) {
  const ask = (status) => () => client.chat.completions.create({ model: `${model}-${status}`, messages });
  await x.fails(ask(400), OpenAI.BadRequestError, 400, "Mock failure 400");
  await x.fails(ask(429), OpenAI.RateLimitError, 429);
  await x.fails(ask(500), OpenAI.InternalServerError, 500, "Mock failure 500");
}

export const wrong_key = (model) =>
  x.fails(() => connect(x.WRONG_KEY, { defaultHeaders: x.elsewhere() }).chat.completions.create({ model, messages }), OpenAI.AuthenticationError, 401);

export async function models(model) {
  x.same((await client.models.list()).data.some((one) => one.id === model), true);
  x.same((await client.models.retrieve(model)).id, model);
}
