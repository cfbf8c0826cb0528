CREATE INDEX IF NOT EXISTS records_by_key ON records (key, id, model, state, input_tokens, cache_read_tokens, output_tokens, cost_nano)
