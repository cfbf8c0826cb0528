SELECT day.key, records.model, count(*), coalesce(sum(records.input_tokens), 0), coalesce(sum(records.cache_read_tokens), 0), coalesce(sum(records.output_tokens), 0), coalesce(sum(records.cost_nano), 0), sum(records.cost_nano IS NULL)
FROM json_each(?2) AS day CROSS JOIN records
WHERE records.key = ?1 AND records.id >= day.value ->> 0 AND records.id < day.value ->> 1 AND records.state <> 'running'
GROUP BY day.key, records.model
ORDER BY day.key, count(*) DESC, records.model
LIMIT 5000
