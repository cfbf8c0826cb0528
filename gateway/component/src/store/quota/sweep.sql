DELETE FROM quota WHERE (id, bucket) IN (
    SELECT quota.id, quota.bucket
    FROM json_each(?1) AS charge JOIN quota ON quota.id = charge.value ->> 0 AND quota.bucket < charge.value ->> 2 - ?2
    UNION ALL
    SELECT quota.id, quota.bucket
    FROM json_each(?1) AS charge JOIN quota ON quota.id = charge.value ->> 0 AND quota.bucket - ?7 > charge.value ->> 6
    UNION ALL
    SELECT id, bucket FROM quota WHERE bucket < ?3 AND id NOT IN (SELECT value ->> 0 FROM json_each(?1))
    AND (
        id NOT LIKE '%/credit'
        OR NOT EXISTS (SELECT 1 FROM quota AS later WHERE later.id = quota.id AND later.bucket >= ?4)
    )
    UNION ALL
    SELECT id, bucket FROM quota WHERE bucket >= 1 << 53 AND (bucket < ?5 OR bucket > ?6)
    LIMIT 500
)
RETURNING 1
