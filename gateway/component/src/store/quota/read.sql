SELECT quota.id, quota.bucket, quota.spent
FROM json_each(?1) AS charge JOIN quota ON quota.id = charge.value ->> 0 AND quota.bucket BETWEEN charge.value ->> 2 AND charge.value ->> 5
