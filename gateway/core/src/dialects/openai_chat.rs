//! OpenAI chat completions, and the many providers that speak it with an accent.
//! <https://platform.openai.com/docs/api-reference/chat>
//!
//! OpenAI's own API shows no reasoning. What is read and written for it is what other providers agreed on: DeepSeek's
//! `reasoning_content` (<https://api-docs.deepseek.com/guides/reasoning_model>), and OpenRouter's `reasoning_details`
//! for seals (<https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks>).

mod answer;
mod calls;
mod error;
mod facts;
mod finish;
mod read;
mod reasoning;
mod stream_reader;
mod stream_writer;
mod usage;
mod write;

super::room::room!();
