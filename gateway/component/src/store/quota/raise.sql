INSERT INTO quota (id, bucket, spent)
SELECT ?1, ?4, ?5 - known.spent
FROM (SELECT coalesce(sum(spent), 0) AS spent FROM quota WHERE id = ?1 AND bucket BETWEEN ?2 AND ?3) AS known
WHERE known.spent < ?5
ON CONFLICT (id, bucket) DO UPDATE SET spent = quota.spent + excluded.spent
RETURNING 1
