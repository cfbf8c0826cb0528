// Vercel's AI SDK with its providers of all four dialects. It runs tools and goes on by itself.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import * as x from "./expected.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const TALK = [
  { role: "user", content: "one" },
  { role: "assistant", content: "two" },
  { role: "user", content: x.PROMPT },
];
const asked = [];
const get_weather = tool({
  description: "Tells the weather",
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => (asked.push(city), x.RESULTS[city]),
});
const used = (usage) => [usage.inputTokens, usage.inputTokenDetails.cacheReadTokens, usage.outputTokens];

const client = (name, connect, providerOptions) => {
  const of = connect(x.KEY);
  const finished = ({ text, finishReason, usage }) => {
    x.same([text, finishReason], [x.TEXT, "stop"]);
    x.same(used(usage), x.USAGE);
  };
  const stream = async (options) => {
    const failures = [];
    const result = streamText({ maxRetries: 0, onError: ({ error }) => failures.push(error), ...options });
    let streamed = "";
    for await (const piece of result.textStream) streamed += piece;
    if (failures.length) throw failures[0];
    const whole = { text: await result.text, finishReason: await result.finishReason, usage: await result.usage };
    x.same(streamed.endsWith(whole.text), true);
    return whole;
  };
  const tooling = (model, more) => ({
    model: of(model), prompt: x.WEATHER, tools: { get_weather }, stopWhen: stepCountIs(3), maxRetries: 0, ...more,
  });
  const toolsUsed = async (answer) => {
    asked.length = 0;
    const { text } = await answer();
    // What the provider of Gemini makes of a result is an object that has it as its `content`.
    const said = /"content":\s*"(.*?)".*"content":\s*"(.*?)"/.exec(text);
    x.same([said ? `The tools said: ${said[1]} | ${said[2]}` : text, [...asked].sort()], [x.TOOLS_TEXT, ["Paris", "Tokyo"]]);
  };
  return {
    name,
    plain: async (model) => finished(await generateText({ model: of(model), instructions: x.SYSTEM, messages: TALK, maxRetries: 0 })),
    streamed: async (model) => finished(await stream({ model: of(model), instructions: x.SYSTEM, messages: TALK })),
    tools: (model) => toolsUsed(() => generateText(tooling(model))),
    tools_streamed: (model) => toolsUsed(() => stream(tooling(model))),
    thinking: (model) => toolsUsed(() => stream(tooling(model, { providerOptions }))),
    wandering: async (model) => {
      for (const other of x.others(model)) {
        const prepareStep = ({ stepNumber }) => (stepNumber ? { model: of(other) } : {});
        await toolsUsed(() => stream(tooling(model, { providerOptions, prepareStep })));
      }
    },
    length: async (model) => {
      const answer = await generateText({ model: of(model), messages: TALK, maxOutputTokens: x.SHORT, maxRetries: 0 });
      x.same([answer.text, answer.finishReason], [x.CUT_TEXT, "length"]);
    },
    broken: async (model) => {
      const failures = [];
      const onError = ({ error }) => failures.push(JSON.stringify(error) + error?.message);
      const result = streamText({ model: of(`${model}-stream`), messages: TALK, maxRetries: 0, onError });
      let text = "";
      for await (const piece of result.textStream) text += piece;
      x.same([text.length > 0, failures.some((said) => said.includes("Mock failure in a stream"))], [true, true]);
    },
    structured: async (model) => {
      const output = Output.object({ schema: x.Person });
      x.same((await generateText({ model: of(model), messages: TALK, output, maxRetries: 0 })).output, x.PERSON);
    },
    image: async (model) => {
      const content = [
        { type: "text", text: "What is this?" },
        { type: "file", mediaType: "image/png", data: Buffer.from(x.PNG, "base64") },
      ];
      x.same((await generateText({ model: of(model), messages: [{ role: "user", content }], maxRetries: 0 })).text, x.IMAGE_TEXT);
    },
    error: async (model) => {
      const ask = (status) => () => generateText({ model: of(`${model}-${status}`), messages: TALK, maxRetries: 0 });
      await x.fails(ask(400), APICallError, 400, "Mock failure 400");
      await x.fails(ask(429), APICallError, 429);
      await x.fails(ask(500), APICallError, 500, "Mock failure 500");
    },
    wrong_key: (model) => x.fails(() => generateText({ model: connect(x.WRONG_KEY)(model), messages: TALK, headers: x.elsewhere() }), APICallError, 401),
  };
};

const chat = client("ai-sdk openai chat", (apiKey) => createOpenAI({ baseURL: `${x.BASE}/v1`, apiKey }).chat, { openai: { reasoningEffort: "low" } });
// It keeps no thoughts, and DeepSeek takes no conversation that lacks them; there is another package for that.
if (process.env.WILD) delete chat.thinking, delete chat.wandering;

export const clients = [
  chat,
  client("ai-sdk openai responses", (apiKey) => createOpenAI({ baseURL: `${x.BASE}/v1`, apiKey }), {
    openai: { reasoningEffort: "low", reasoningSummary: "auto", store: false, include: ["reasoning.encrypted_content"], forceReasoning: true },
  }),
  client("ai-sdk anthropic", (apiKey) => createAnthropic({ baseURL: `${x.BASE}/v1`, apiKey }), {
    anthropic: { thinking: { type: "enabled", budgetTokens: 2000 } },
  }),
  client("ai-sdk google", (apiKey) => createGoogleGenerativeAI({ baseURL: `${x.BASE}/v1beta`, apiKey }), {
    google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 2000 } },
  }),
];
