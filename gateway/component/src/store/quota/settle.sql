INSERT INTO quota (id, bucket, spent)
SELECT change.id, change.bucket, min(change.delta, 1125899906842624)
FROM (SELECT value ->> 0 AS id, value ->> 1 AS bucket, value ->> 2 AS delta FROM json_each(?1)) AS change
WHERE change.delta > 0 OR EXISTS (SELECT 1 FROM quota WHERE quota.id = change.id AND quota.bucket = change.bucket)
ON CONFLICT (id, bucket) DO UPDATE SET spent = min(max(quota.spent + excluded.spent, 0), 1125899906842624)
