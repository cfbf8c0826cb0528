DELETE FROM quota WHERE bucket = ?1 AND id LIKE '%/concurrent'
