CREATE TRIGGER IF NOT EXISTS quota_slots AFTER UPDATE OF spent ON quota
WHEN new.spent = 0 AND new.bucket >= 1 << 53
BEGIN
    DELETE FROM quota WHERE id = new.id AND bucket = new.bucket;
END
