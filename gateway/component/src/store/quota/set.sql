INSERT INTO quota (id, bucket, spent)
SELECT ?1, bucket, iif(bucket = ?3, ?4, 0)
FROM (SELECT bucket FROM quota WHERE id = ?1 AND bucket >= ?2 UNION SELECT ?3)
WHERE true
ON CONFLICT (id, bucket) DO UPDATE SET spent = excluded.spent
RETURNING 1
