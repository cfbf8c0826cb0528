SELECT quota.id, sum(quota.spent)
FROM json_each(?1) AS charge JOIN quota ON quota.id = charge.value ->> 0 AND quota.bucket >= charge.value ->> 2
GROUP BY quota.id
