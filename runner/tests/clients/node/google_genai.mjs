// The `@google/genai` SDK.

import { ApiError, GoogleGenAI } from "@google/genai";
import { z } from "zod";
import * as x from "./expected.mjs";

export const name = "js google-genai";
const connect = (apiKey, headers) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: x.BASE, headers } });
const client = connect(x.KEY);
const tool = { functionDeclarations: [{ name: "get_weather", description: "Tells the weather", parametersJsonSchema: x.PARAMETERS }] };
const contents = [
  { role: "user", parts: [{ text: "one" }] },
  { role: "model", parts: [{ text: "two" }] },
  { role: "user", parts: [{ text: x.PROMPT }] },
];
const used = (usage) => [usage.promptTokenCount, usage.cachedContentTokenCount, usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0)];

async function all(chunks) {
  const listed = [];
  for await (const chunk of chunks) listed.push(chunk);
  return listed;
}

export async function plain(model) {
  const config = { systemInstruction: x.SYSTEM, temperature: 0.5 };
  const answer = await client.models.generateContent({ model, contents, config });
  x.same([answer.text, answer.candidates[0].finishReason], [x.TEXT, "STOP"]);
  x.same(used(answer.usageMetadata), x.USAGE);
}

export async function streamed(model) {
  const chunks = await all(await client.models.generateContentStream({ model, contents, config: { systemInstruction: x.SYSTEM } }));
  x.same(chunks.map((chunk) => chunk.text ?? "").join(""), x.TEXT);
  x.same(chunks.flatMap((chunk) => chunk.candidates?.[0].finishReason ?? []), ["STOP"]);
  x.same(used(chunks.at(-1).usageMetadata), x.USAGE);
}

export const tools = (model) =>
  roundTrip(async (contents) => (await client.models.generateContent({ model, contents, config: { tools: [tool] } })).candidates[0].content.parts);

const streaming = (more) => (model) => async (contents) => {
  const chunks = await all(await client.models.generateContentStream({ model, contents, config: { tools: [tool], ...more } }));
  return chunks.flatMap((chunk) => chunk.candidates?.[0].content?.parts ?? []);
};
const thoughtful = streaming({ thinkingConfig: { includeThoughts: true, thinkingLevel: "LOW" } });

export const tools_streamed = (model) => roundTrip(streaming()(model));

export const thinking = (model) => roundTrip(thoughtful(model));

export async function wandering(model) {
  for (const other of x.others(model)) await roundTrip(x.changing(thoughtful, model, other));
}

export async function length(model) {
  const answer = await client.models.generateContent({ model, contents, config: { maxOutputTokens: x.SHORT } });
  x.same([answer.text, answer.candidates[0].finishReason], [x.CUT_TEXT, "MAX_TOKENS"]);
}

export const broken = (model) =>
  x.breaks(client.models.generateContentStream({ model: `${model}-stream`, contents }), ApiError);

async function roundTrip(ask) {
  const talk = [{ role: "user", parts: [{ text: x.WEATHER }] }];
  const parts = await ask(talk);
  const calls = parts.flatMap((part) => part.functionCall ?? []);
  x.same(calls.map((call) => [call.name, call.args.city]), x.CALLS);
  const results = calls.map(({ id, name, args }) => ({ functionResponse: { ...(id && { id }), name, response: { output: x.RESULTS[args.city] } } }));
  talk.push({ role: "model", parts }, { role: "user", parts: results });
  const text = (await ask(talk)).filter((part) => !part.thought).map((part) => part.text ?? "").join("");
  x.same(text, x.TOOLS_TEXT);
}

export async function structured(model) {
  const config = { responseMimeType: "application/json", responseJsonSchema: z.toJSONSchema(x.Person) };
  x.same(x.Person.parse(JSON.parse((await client.models.generateContent({ model, contents, config })).text)), x.PERSON);
}

export async function image(model) {
  const contents = [{ inlineData: { mimeType: "image/png", data: x.PNG } }, { text: "What is this?" }];
  x.same((await client.models.generateContent({ model, contents })).text, x.IMAGE_TEXT);
}

export async function error(model) {
  const ask = (status) => () => client.models.generateContent({ model: `${model}-${status}`, contents });
  await x.fails(ask(400), ApiError, 400, "Mock failure 400");
  await x.fails(ask(429), ApiError, 429);
  await x.fails(ask(500), ApiError, 500, "Mock failure 500");
}

export const wrong_key = (model) =>
  x.fails(() => connect(x.WRONG_KEY, x.elsewhere()).models.generateContent({ model, contents }), ApiError, 401);

export async function models(model) {
  const listed = await all(await client.models.list());
  x.same(listed.some((one) => one.name === `models/${model}`), true);
  x.same((await client.models.get({ model })).name, `models/${model}`);
  x.same((await client.models.countTokens({ model, contents })).totalTokens > 0, true);
}
