INSERT INTO quota (id, bucket, spent)
SELECT value ->> 0, value ->> 1, value ->> 3 FROM json_each(?1)
WHERE NOT EXISTS (
    SELECT 1 FROM json_each(?1) AS charge
    WHERE charge.value ->> 3 + (
        SELECT coalesce(sum(spent), 0) FROM quota
        WHERE id = charge.value ->> 0 AND bucket BETWEEN charge.value ->> 2 AND charge.value ->> 5
    ) > charge.value ->> 4
)
ON CONFLICT (id, bucket) DO UPDATE SET spent = quota.spent + excluded.spent
RETURNING 1
